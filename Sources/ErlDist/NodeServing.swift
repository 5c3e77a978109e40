internal import ExternalTermFormat
internal import Transport

/// A call from another node that runs here, as a process of its own.
struct IncomingCall {
    /// Who is told the result, and how.
    enum Answer {
        /// As the reason with which the process ends.
        case exit(SpawnTarget)
        /// As the reply to a `gen_server` call of `rex`.
        case reply(GenCaller, RexCall)
        /// As a message `{rex, Result}`.
        case message(PID, RexCall)
    }

    var task: Task<Void, Never>?
    var pid: PID
    var peer: Atom
    var answer: Answer
}

extension Node {
    // MARK: Signals

    func receive(_ message: ControlMessage, _ link: PeerLink) {
        switch message {
        case .send(_, let to, let message, _):
            receive(message, to: to, link)
        case .registeredSend(_, let to, let message, _):
            receive(message, to: to, link)
        case .alternativeSend(let options, let from, let to, let payload, _):
            receiveAlternative(options, from, to, payload, link)
        case .monitor(let from, let to, let reference):
            if let answer = processes.monitor(from: from, to: to, reference: reference) {
                link.connection.send(answer)
            }
        case .demonitor(_, let to, let reference):
            processes.demonitor(to, reference: reference)
        case .link(let from, let to):
            if let answer = processes.link(from: from, to: to) { link.connection.send(answer) }
        case .unlink(let from, let to):
            processes.unlink(from: from, to: to)
        case .unlinkID(let id, let from, let to):
            processes.unlink(from: from, to: to)
            link.connection.send(.unlinkAcknowledgement(id: id, from: to, to: from))
        case .exit(let from, let to, let reason, _):
            processes.unlink(from: from, to: to)
            kill(to, reason)
        case .exitRequest(_, let to, let reason, _):
            kill(to, reason == .atom("kill") ? .atom("killed") : reason)
        case .down(_, _, let reference, let reason):
            receiveDown(reference, reason, link)
        case .spawnRequest(let request):
            receive(request, link)
        case .spawnReply(let reply):
            receive(reply, link)
        case .aliasSend, .unlinkAcknowledgement, .groupLeader, .nodeLink:
            // We give out no aliases, link to nobody, and our processes' group leader is their own.
            return
        }
    }

    private func receiveAlternative(
        _ options: AlternativeSendOptions, _ from: PID, _ to: Term, _ payload: Term,
        _ link: PeerLink
    ) {
        switch to {
        case .pid(let pid):
            if options.contains(.exit) {
                kill(pid, payload == .atom("kill") ? .atom("killed") : payload)
            } else {
                receive(payload, to: pid, link)
            }
        case .atom(let name) where !options.contains(.exit):
            receive(payload, to: name, link)
        case .atom, .integer, .bigInteger, .float, .binary, .bitstring, .tuple, .list,
            .improperList, .map, .port, .reference, .fun, .export:
            return
        }
    }

    private func receive(_ message: Term, to pid: PID, _ link: PeerLink) {
        if pid.serial == ProcessTable.leaderSerial {
            return receiveIORequest(message, leader: pid, link)
        }
        receiveReply(message, link)
    }

    private func receive(_ message: Term, to name: Atom, _ link: PeerLink) {
        switch name.name {
        case "net_kernel": receiveForNetKernel(message, link)
        case "rex": receiveForRex(message, link)
        default: return
        }
    }

    // MARK: Group leaders

    private func receiveIORequest(_ message: Term, leader: PID, _ link: PeerLink) {
        guard case .tuple(let fields) = message, fields.count == 4,
            fields[0] == .atom("io_request"), case .pid(let from) = fields[1]
        else { return }
        var sink = GroupLeader(maximumByteCount: 0) { _ in }
        let reply = leaders[leader.id]?.answer(fields[3]) ?? sink.answer(fields[3])
        link.connection.send(
            .send(
                from: leader, to: from, message: .tuple([.atom("io_reply"), fields[2], reply]),
                token: nil))
    }

    // MARK: Registered names

    /// `{'$gen_call', {Pid, Tag}, {is_auth, Node}}`, by which `net_adm:ping/1` asks.
    private func receiveForNetKernel(_ message: Term, _ link: PeerLink) {
        guard let (caller, request) = Self.genCall(message),
            case .tuple(let fields) = request, fields.count == 2, fields[0] == .atom("is_auth")
        else { return }
        answer(caller, .atom("yes"), link)
    }

    /// `{'$gen_call', From, {call, M, F, A, GroupLeader}}`, or `{Pid, {call, …}}` of the oldest clients.
    private func receiveForRex(_ message: Term, _ link: PeerLink) {
        if let (caller, request) = Self.genCall(message) {
            guard let call = RexCall(request) else { return }
            run(call.module, call.function, call.arguments, caller.pid, link, .reply(caller, call))
        } else if case .tuple(let fields) = message, fields.count == 2,
            case .pid(let from) = fields[0], let call = RexCall(fields[1])
        {
            run(call.module, call.function, call.arguments, from, link, .message(from, call))
        }
    }

    private static func genCall(_ message: Term) -> (caller: GenCaller, request: Term)? {
        guard case .tuple(let fields) = message, fields.count == 3,
            fields[0] == .atom("$gen_call"), case .tuple(let from) = fields[1], from.count == 2,
            case .pid(let pid) = from[0]
        else { return nil }
        return (GenCaller(pid: pid, tag: from[1]), fields[2])
    }

    private func answer(_ caller: GenCaller, _ reply: Term, _ link: PeerLink) {
        let message = Term.tuple([caller.tag, reply])
        let from = pid(0, link)
        if let alias = caller.alias, link.peer.flags.contains(.alias) {
            link.connection.send(.aliasSend(from: from, to: alias, message: message, token: nil))
        } else {
            link.connection.send(.send(from: from, to: caller.pid, message: message, token: nil))
        }
    }

    // MARK: Calls

    /// A process is asked for: `erpc:execute_call/4`, `erpc:execute_cast/3`, or a function of an exposed
    /// module itself.
    private func receive(_ request: SpawnRequest, _ link: PeerLink) {
        let isMonitored =
            request.options.contains(Self.monitorOption)
            || request.options.contains(where: Self.isMonitorTuple)
        let isLinked = request.options.contains(.atom("link"))
        func reply(_ result: SpawnReply.Result) {
            let isStarted = if case .started = result { true } else { false }
            link.connection.send(
                .spawnReply(
                    SpawnReply(
                        id: request.id, to: request.from, isLinked: isLinked && isStarted,
                        isMonitored: isMonitored && isStarted, result: result, token: nil)))
        }
        guard incomingCalls.count < configuration.maximumIncomingCalls else {
            report(
                .warning, cause: "incoming calls",
                "More than \(configuration.maximumIncomingCalls) calls at once: refusing one from"
                    + " \(link.peer.name)")
            return reply(.failed("system_limit"))
        }
        let target = SpawnTarget(request)
        let pid = pid(processes.start(), link)
        if isMonitored {
            _ = processes.monitor(
                from: request.from, to: .pid(pid), reference: request.id)
        }
        if isLinked { _ = processes.link(from: request.from, to: pid) }
        // The reply stands before everything else that this process sends.
        reply(.started(pid))
        run(
            target.module, target.function, target.arguments, request.from, link, .exit(target),
            as: pid)
    }

    private static let monitorOption = Term.atom("monitor")

    private static func isMonitorTuple(_ option: Term) -> Bool {
        option.asTuple?.first == monitorOption
    }

    /// Runs an exposed function and answers with its result, unless its process is killed before.
    private func run(
        _ module: Atom, _ function: Atom, _ arguments: [Term], _ from: PID, _ link: PeerLink,
        _ answer: IncomingCall.Answer, as process: PID? = nil
    ) {
        let pid = process ?? pid(processes.start(), link)
        let call = IncomingCall(pid: pid, peer: link.peer.name.atom, answer: answer)
        guard let handler = exposed[module] else { return finish(call, .failure(.undefined)) }
        guard incomingCalls.count < configuration.maximumIncomingCalls else {
            return finish(
                call, .failure(.exception(class: .error, reason: .atom("system_limit"))))
        }
        incomingCalls[pid.id] = call
        let caller = Caller(node: link.peer.name, pid: from)
        incomingCalls[pid.id]?.task = Task {
            let result: Result<Term, ExposedCallError>
            do {
                result = .success(try await handler(function, arguments, caller))
            } catch let error as ExposedCallError {
                result = .failure(error)
            } catch {
                result = .failure(.exception(class: .error, reason: .binary("\(error)")))
            }
            guard let call = incomingCalls.removeValue(forKey: pid.id) else { return }
            finish(call, result)
        }
    }

    private func finish(_ call: IncomingCall, _ result: Result<Term, ExposedCallError>) {
        var exitReason = Term.atom(.normal)
        switch call.answer {
        case .exit(let target):
            exitReason = target.exitReason(result)
        case .reply(let caller, let rexCall):
            if let link = links[call.peer] { answer(caller, rexCall.reply(result), link) }
        case .message(let from, let rexCall):
            let message = Term.tuple([.atom("rex"), rexCall.reply(result)])
            links[call.peer]?.connection.send(
                .send(from: call.pid, to: from, message: message, token: nil))
        }
        end(call.pid, reason: exitReason)
    }

    private func kill(_ pid: PID, _ reason: Term) {
        guard reason != .atom(.normal), pid.serial != ProcessTable.leaderSerial,
            let call = incomingCalls.removeValue(forKey: pid.id)
        else { return }
        call.task?.cancel()
        end(call.pid, reason: reason)
    }

    private func end(_ pid: PID, reason: Term) {
        for signal in processes.end(pid, reason: reason) {
            links[signal.node]?.connection.send(signal.message)
        }
    }
}

/// What a spawned process runs, and how its end tells the result.
struct SpawnTarget {
    private enum Form {
        case call(resultID: Term)
        case cast
        case plain
    }

    private let form: Form
    let module: Atom
    let function: Atom
    let arguments: [Term]

    init(_ request: SpawnRequest) {
        let arguments = request.arguments
        switch (request.module.name, request.function.name, arguments.count) {
        case ("erpc", "execute_call", 4):
            if let module = arguments[1].asAtom, let function = arguments[2].asAtom,
                let list = arguments[3].asList
            {
                form = .call(resultID: arguments[0])
                (self.module, self.function, self.arguments) = (module, function, list)
                return
            }
        case ("erpc", "execute_cast", 3):
            if let module = arguments[0].asAtom, let function = arguments[1].asAtom,
                let list = arguments[2].asList
            {
                form = .cast
                (self.module, self.function, self.arguments) = (module, function, list)
                return
            }
        case (_, _, _): break
        }
        form = .plain
        (module, function, self.arguments) = (request.module, request.function, arguments)
    }

    func exitReason(_ result: Result<Term, ExposedCallError>) -> Term {
        switch (form, result) {
        case (.call(let resultID), let result):
            return CallReply.exitReason(
                result, resultID: resultID, module: module, function: function,
                arguments: arguments)
        case (.cast, .success), (.plain, .success):
            return .atom(.normal)
        case (.cast, .failure(let error)), (.plain, .failure(let error)):
            return CallReply.processExit(
                error, module: module, function: function, arguments: arguments)
        }
    }
}

/// `{call, M, F, A, GroupLeader}`, as `rpc` sent it to `rex` before OTP 23.
struct RexCall {
    let module: Atom
    let function: Atom
    let arguments: [Term]

    init?(_ request: Term) {
        guard case .tuple(let fields) = request, fields.count >= 4, fields[0] == .atom("call"),
            let module = fields[1].asAtom, let function = fields[2].asAtom,
            let arguments = fields[3].asList
        else { return nil }
        self.module = module
        self.function = function
        self.arguments = arguments
    }

    func reply(_ result: Result<Term, ExposedCallError>) -> Term {
        CallReply.rexReply(result, module: module, function: function, arguments: arguments)
    }
}

/// Who waits for the answer to a `gen_server` call. The tag is whatever the caller's node chose: it is
/// given back whole.
struct GenCaller {
    var pid: PID
    var tag: Term

    /// Since OTP 24 the tag is `[alias | Ref]` and the answer goes to the alias, which is gone when the
    /// caller has given up.
    var alias: Reference? {
        if case .improperList(let head, .reference(let reference)) = tag, head == [.atom("alias")] {
            reference
        } else {
            nil
        }
    }
}

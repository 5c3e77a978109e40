internal import ExternalTermFormat
internal import Transport

// Calls of other nodes to exposed modules.

extension Node {
    /// A process is asked for: `erpc:execute_call/4`, `erpc:execute_cast/3`, or a function of an exposed
    /// module itself.
    func receive(_ request: SpawnRequest, _ link: PeerLink) {
        // As for monitors and links: its end would be told to a node that never asked.
        guard request.from.node == link.peer.name.atom else { return }
        guard request.options.count <= Self.maximumOptionCount,
            Echo.isShort(request.token ?? [])
        else {
            return link.connection.send(
                .spawnReply(
                    SpawnReply(
                        id: request.id, to: request.from, isLinked: false, isMonitored: false,
                        result: .failed("badarg"), token: nil)))
        }
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
                        isMonitored: isMonitored && isStarted, result: result,
                        // As a BEAM does: SPAWN_REPLY_TT.
                        token: request.token)))
        }
        guard hasRoomForCall(of: link.peer) else {
            report(
                .warning, cause: "incoming calls", of: link.source,
                "\(budget.callCount) calls with \(budget.callByteCount) bytes are running:"
                    + " refusing one from \(link.peer.name)")
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

    private func hasRoomForCall(of peer: PeerNode) -> Bool {
        budget.hasRoomForCall(byteCount: receivedByteCount, of: peer.name.atom)
    }

    /// There are seven.
    private static let maximumOptionCount = 32
    private static let monitorOption = Term.atom("monitor")

    private static func isMonitorTuple(_ option: Term) -> Bool {
        option.asTuple?.first == monitorOption
    }

    /// Runs an exposed function and answers with its result, unless its process is killed before.
    func run(
        _ module: Atom, _ function: Atom, _ arguments: [Term], _ from: PID, _ link: PeerLink,
        _ answer: IncomingCall.Answer, as process: PID? = nil
    ) {
        let pid = process ?? pid(processes.start(), link)
        let call = IncomingCall(
            pid: pid, peer: link.peer.name.atom, byteCount: receivedByteCount, answer: answer)
        guard let handler = exposed[module] else { return finish(call, .failure(.undefined)) }
        guard hasRoomForCall(of: link.peer) else {
            return finish(
                call, .failure(.exception(class: .error, reason: .atom("system_limit"))))
        }
        incomingCalls[pid.id] = call
        budget.callBegan(byteCount: call.byteCount, of: call.peer)
        let caller = Caller(node: link.peer.name, pid: from)
        incomingCalls[pid.id]?.task = Task {
            let result: Result<Term, ExposedCallError>
            do {
                result = .success(try await handler(function, arguments, caller))
            } catch let error as ExposedCallError {
                result = .failure(error)
            } catch {
                result = .failure(.exception(class: .error, reason: Echo.text("\(error)")))
            }
            guard let call = takeCall(pid) else { return }
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

    func kill(_ pid: PID, _ reason: Term) {
        guard reason != .atom(.normal), pid.serial != ProcessTable.leaderSerial,
            let call = takeCall(pid)
        else { return }
        call.task?.cancel()
        end(call.pid, reason: reason)
    }

    private func takeCall(_ pid: PID) -> IncomingCall? {
        guard let call = incomingCalls.removeValue(forKey: pid.id) else { return nil }
        budget.callEnded(byteCount: call.byteCount, of: call.peer)
        return call
    }

    private func end(_ pid: PID, reason: Term) {
        for signal in processes.end(pid, reason: reason) {
            transmit(signal.message, to: signal.node)
        }
    }
}

internal import ExternalTermFormat
internal import Transport

/// The calls from other nodes that run here, and the modules that they may call. They belong to
/// their node's isolation.
///
/// The node runs each function in a task of its own; see ``begin(_:module:)`` and ``finish(_:_:)``.
final class IncomingCalls {
    private let peers: Peers
    private let processes: LocalProcesses
    private let log: NodeLog
    private var exposed: [Atom: ExposedModule] = [:]
    /// The key is the number of the process that runs the call.
    private var calls: [UInt32: IncomingCall] = [:]
    private var budget: CallBudget

    init(limits: CallBudget.Limits, peers: Peers, processes: LocalProcesses, log: NodeLog) {
        self.peers = peers
        self.processes = processes
        self.log = log
        budget = CallBudget(limits: limits)
        processes.kill = { [unowned self] pid, reason in kill(pid, reason) }
    }

    func expose(_ module: Atom, _ handler: @escaping ExposedModule) {
        exposed[module] = handler
    }

    // MARK: Starting

    /// A peer asks for a process: one that runs `erpc:execute_call/4` or `erpc:execute_cast/3`, or
    /// one that runs a function of an exposed module itself.
    /// - Returns: the call that is to run; `nil` when it is refused, which the peer has been told.
    func start(_ request: SpawnRequest, from peer: PeerConnection) -> IncomingCall? {
        // As with monitors and links: otherwise a node that never asked would be told of the
        // process's end.
        guard request.from.node == peer.name else { return nil }
        guard request.options.count <= Self.maximumOptionCount,
            Echo.isShort(request.token ?? [])
        else {
            reply(.failed("badarg"), to: request, token: nil, peer)
            return nil
        }
        guard budget.hasRoom(byteCount: peer.connection.messageByteCount, of: peer.name) else {
            log.report(
                .warning, cause: "incoming calls", of: peer.source,
                "\(budget.count) calls with \(budget.byteCount) bytes are running:"
                    + " refusing one from \(peer.peer.name)")
            reply(.failed("system_limit"), to: request, token: request.token, peer)
            return nil
        }
        let target = SpawnTarget(request)
        let pid = peer.pid(processes.start())
        let isMonitored =
            request.options.contains(Self.monitorOption)
            || request.options.contains { $0.asTuple?.first == Self.monitorOption }
        let isLinked = request.options.contains(.atom("link"))
        processes.watch(
            pid, by: request.from, monitor: isMonitored ? request.id : nil, isLinked: isLinked)
        // This reply must precede everything else that the process sends. As a BEAM's does, it
        // gives the token back: SPAWN_REPLY_TT.
        reply(
            .started(pid), to: request, isLinked: isLinked, isMonitored: isMonitored,
            token: request.token, peer)
        return IncomingCall(
            pid: pid, caller: Caller(node: peer.peer.name, pid: request.from),
            byteCount: peer.connection.messageByteCount, answer: .exit(target))
    }

    private func reply(
        _ result: SpawnReply.Result, to request: SpawnRequest, isLinked: Bool = false,
        isMonitored: Bool = false, token: Term?, _ peer: PeerConnection
    ) {
        peer.connection.send(
            .spawnReply(
                SpawnReply(
                    id: request.id, to: request.from, isLinked: isLinked,
                    isMonitored: isMonitored, result: result, token: token)))
    }

    /// There are seven options.
    private static let maximumOptionCount = 32
    private static let monitorOption = Term.atom("monitor")

    /// Reads `{'$gen_call', From, {call, M, F, A, GroupLeader}}` to `rex`, or `{Pid, {call, …}}` of
    /// the oldest clients.
    /// - Returns: the call that is to run; `nil` when the message is not such a call.
    func start(rex message: Term, from peer: PeerConnection) -> IncomingCall? {
        let from: PID
        let answer: IncomingCall.Answer
        if let request = ServerCall(message) {
            guard Echo.isShort(request.caller.tag), let asked = RexCall(request.request) else {
                return nil
            }
            (from, answer) = (request.pid, .reply(request.caller, asked))
        } else if case .tuple(let fields) = message, fields.count == 2,
            case .pid(let pid) = fields[0], let asked = RexCall(fields[1])
        {
            (from, answer) = (pid, .message(pid, asked))
        } else {
            return nil
        }
        return IncomingCall(
            pid: peer.pid(processes.start()), caller: Caller(node: peer.peer.name, pid: from),
            byteCount: peer.connection.messageByteCount, answer: answer)
    }

    // MARK: Running

    /// - Returns: what runs the call; `nil` when nothing does, which the peer has been told.
    func begin(_ call: IncomingCall) -> ExposedModule? {
        guard let handler = exposed[call.invocation.module] else {
            answer(call, .failure(.undefined))
            return nil
        }
        guard budget.hasRoom(byteCount: call.byteCount, of: call.peer) else {
            answer(call, .failure(.exception(class: .error, reason: .atom("system_limit"))))
            return nil
        }
        calls[call.pid.id] = call
        budget.begin(byteCount: call.byteCount, of: call.peer)
        return handler
    }

    /// Sets the task that runs a call. It is cancelled when the call's process is killed.
    func setTask(_ task: Task<Void, Never>, of call: IncomingCall) {
        calls[call.pid.id]?.task = task
    }

    /// Answers with the result, unless the process has been killed before.
    func finish(_ call: IncomingCall, _ result: Result<Term, ExposedCallError>) {
        guard let call = take(call.pid) else { return }
        answer(call, result)
    }

    private func kill(_ pid: PID, _ reason: Term) {
        guard reason != .atom(.normal), pid.serial != GroupLeader.serial, let call = take(pid)
        else { return }
        call.task?.cancel()
        processes.end(call.pid, reason: reason)
    }

    private func take(_ pid: PID) -> IncomingCall? {
        guard let call = calls.removeValue(forKey: pid.id) else { return nil }
        budget.end(byteCount: call.byteCount, of: call.peer)
        return call
    }

    private func answer(_ call: IncomingCall, _ result: Result<Term, ExposedCallError>) {
        var exitReason = Term.atom(.normal)
        switch call.answer {
        case .exit(let target):
            exitReason = target.exitReason(result)
        case .reply(let caller, let rexCall):
            peers[call.peer]?.answer(caller, rexCall.reply(result))
        case .message(let from, let rexCall):
            let message = Term.tuple([.atom("rex"), rexCall.reply(result)])
            peers[call.peer]?.connection.send(
                .send(from: call.pid, to: from, message: message, token: nil))
        }
        processes.end(call.pid, reason: exitReason)
    }
}

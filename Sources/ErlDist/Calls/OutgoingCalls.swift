internal import ExternalTermFormat
internal import Transport

/// The calls that this node makes over one connection, from request to answer. It belongs to its
/// node's isolation.
///
/// A spawn request for `erpc:execute_call/4` calls a function, or a message to `rex` where the peer
/// takes no spawn requests. The answer comes back with the call's reference, which contains the
/// call's number.
final class OutgoingCalls {
    /// Resumed once, because ``PendingCalls`` gives each call back once.
    typealias Continuation = UnsafeContinuation<Result<Term, CallError>, Never>

    private struct Call {
        var continuation: Continuation
        var way: Way
        /// The number of the call's own group leader.
        var leader: UInt32?
    }

    /// How an answer comes.
    private enum Way {
        /// As the end of a process that was spawned for the call.
        case spawn(PID?)
        /// As a message `{Reference, Result}` of `rex`.
        case rex
        /// As a message `{Reference, Result}` of another process.
        case message
    }

    /// The limit of ``abandoned``: a peer that never answers spawn requests costs no more memory.
    private static let maximumAbandoned = 10_000

    private let connection: Connection
    private let peer: NodeName
    /// What both sides can do.
    private let flags: DistributionFlags
    /// Our creation as the peer knows it.
    private let creation: UInt32
    private let identity: NodeIdentity
    private let leaders: GroupLeaders
    private let loop: EventLoop
    private var pending = PendingCalls<Call>()
    /// Calls given up before the peer said which process it started. That process is demonitored
    /// once it is known.
    private var abandoned: Set<UInt64> = []
    /// Fires at ``timerTime``, for `pending.nextDeadline`.
    private var timer: LoopTimer?
    private var timerTime: MonotonicTime?
    /// Made for the first call; `nil` when the peer takes no spawn requests, or both sides use an
    /// atom cache.
    private lazy var frames: CallFrames? = makeFrames()

    init(
        over connection: Connection, to peer: PeerNode, creation: UInt32, identity: NodeIdentity,
        leaders: GroupLeaders, loop: EventLoop
    ) {
        self.connection = connection
        self.peer = peer.name
        flags = peer.flags
        self.creation = creation
        self.identity = identity
        self.leaders = leaders
        self.loop = loop
    }

    private func makeFrames() -> CallFrames? {
        guard flags.contains(.spawn), !flags.contains(.headerAtomCache) else { return nil }
        let frames = identity.callFrames(
            creation: creation, leaderSerial: GroupLeader.serial, form: .init(flags))
        connection.callFrames = frames
        return frames
    }

    /// How many calls wait for their answers.
    var count: Int { pending.count }

    // MARK: Calling

    /// Calls `module:function(arguments…)`.
    /// - Parameter leader: the number of the group leader, which is removed when the call ends.
    func call(
        _ id: UInt64, _ module: Atom, _ function: Atom, _ arguments: [Term], leader: UInt32?,
        deadline: MonotonicTime, _ continuation: Continuation
    ) {
        if let frame = frames?.request(id, leader: leader ?? 0, module, function, arguments) {
            let call = Call(continuation: continuation, way: .spawn(nil), leader: leader)
            let isSent = connection.sendIfRoom(frame: frame)
            return isSent ? wait(id, call, deadline) : refuse(call)
        }
        let reference = reference(id)
        let leaderPID = pid(leader ?? 0, serial: GroupLeader.serial)
        let message: ControlMessage
        let way: Way
        if flags.contains(.spawn) {
            way = .spawn(nil)
            message = .spawnRequest(
                SpawnRequest(
                    id: reference, from: pid(), groupLeader: leaderPID, module: "erpc",
                    function: "execute_call",
                    arguments: [
                        .reference(reference), .atom(module), .atom(function), .list(arguments),
                    ], options: [.atom("monitor")], token: nil))
        } else {
            way = .rex
            message = genCall(
                "rex", reference,
                .tuple([
                    .atom("call"), .atom(module), .atom(function), .list(arguments),
                    .pid(leaderPID),
                ]))
        }
        send(message, id, Call(continuation: continuation, way: way, leader: leader), deadline)
    }

    /// Asks whether the peer lets us in, as `net_adm:ping/1` does. The answer is `yes`.
    func askWhetherAuthorized(
        _ id: UInt64, deadline: MonotonicTime, _ continuation: Continuation
    ) {
        let message = genCall(
            "net_kernel", reference(id), .tuple([.atom("is_auth"), .atom(identity.atom)]))
        send(message, id, Call(continuation: continuation, way: .message), deadline)
    }

    /// Makes the peer run `module:function(arguments…)` and expects no answer.
    func cast(_ module: Atom, _ function: Atom, _ arguments: [Term]) throws(CallError) {
        let leader = pid(serial: GroupLeader.serial)
        let function: [Term] = [.atom(module), .atom(function), .list(arguments)]
        let message: ControlMessage
        if flags.contains(.spawn) {
            // Its reply names a process that nobody asks about, and is dropped.
            message = .spawnRequest(
                SpawnRequest(
                    id: identity.makeReference(creation: creation), from: pid(),
                    groupLeader: leader, module: "erpc", function: "execute_cast",
                    arguments: function, options: [], token: nil))
        } else {
            message = .registeredSend(
                from: pid(), to: "rex",
                message: .tuple([
                    .atom("$gen_cast"), .tuple([.atom("cast")] + function + [.pid(leader)]),
                ]), token: nil)
        }
        guard connection.sendIfRoom(message) else { throw .queueFull(connection, peer) }
    }

    /// What `gen_server:call/2` sends to a registered name.
    private func genCall(_ name: Atom, _ id: Reference, _ request: Term) -> ControlMessage {
        .registeredSend(
            from: pid(), to: name,
            message: .tuple([
                .atom("$gen_call"), .tuple([.pid(pid()), .reference(id)]), request,
            ]), token: nil)
    }

    private func send(
        _ message: ControlMessage, _ id: UInt64, _ call: Call, _ deadline: MonotonicTime
    ) {
        guard connection.sendIfRoom(message) else { return refuse(call) }
        wait(id, call, deadline)
    }

    private func refuse(_ call: Call) {
        finish(call, .failure(.queueFull(connection, peer)))
    }

    private func wait(_ id: UInt64, _ call: Call, _ deadline: MonotonicTime) {
        pending.insert(id, call, deadline: deadline)
        scheduleDeadline()
    }

    private func pid(_ id: UInt32 = 0, serial: UInt32 = 0) -> PID {
        identity.pid(id, creation: creation, serial: serial)
    }

    private func reference(_ id: UInt64) -> Reference {
        identity.reference(id, creation: creation)
    }

    // MARK: Giving up

    private func scheduleDeadline() {
        guard let next = pending.nextDeadline else { return }
        if let timerTime, timerTime <= next { return }
        timer?.cancel()
        timerTime = next
        timer = loop.schedule(at: next) { [weak self] in self?.expire() }
    }

    private func expire() {
        timerTime = nil
        for (id, call) in pending.takeExpired(now: .now) {
            abandon(call, id)
            finish(call, .failure(.timedOut))
        }
        scheduleDeadline()
    }

    /// Ends a call; nothing happens when its answer has come.
    func cancel(_ id: UInt64) {
        guard let call = pending.remove(id) else { return }
        abandon(call, id)
        finish(call, .failure(.cancelled))
    }

    /// The connection has ended, and all calls with it.
    func endAll(_ error: CallError) {
        timer?.cancel()
        for call in pending.takeAll() { finish(call, .failure(error)) }
    }

    /// Ends the monitor of a call that nobody waits for any more.
    private func abandon(_ call: Call, _ id: UInt64) {
        switch call.way {
        case .spawn(let process?): demonitor(process, id)
        case .spawn(nil):
            if abandoned.count < Self.maximumAbandoned { abandoned.insert(id) }
        case .rex, .message: break
        }
    }

    private func demonitor(_ process: PID, _ id: UInt64) {
        connection.send(.demonitor(from: pid(), to: .pid(process), reference: reference(id)))
    }

    private func finish(_ call: Call, _ result: Result<Term, CallError>) {
        if let leader = call.leader { leaders.remove(leader) }
        call.continuation.resume(returning: result)
    }

    // MARK: Answers

    /// An answer that the connection has recognised.
    func receive(_ answer: CallFrames.Answer) {
        switch answer {
        case .started(let id, let process): started(id, process)
        case .returned(let id, let value):
            if let call = pending.remove(id) { finish(call, .success(value)) }
        }
    }

    /// SPAWN_REPLY.
    func receive(_ reply: SpawnReply) {
        guard let id = number(reply.id) else { return }
        switch reply.result {
        case .started(let process): started(id, process)
        case .failed(let reason):
            abandoned.remove(id)
            guard let call = pending.remove(id) else { return }
            finish(call, .failure(.badRPC(.atom(reason))))
        }
    }

    private func started(_ id: UInt64, _ process: PID) {
        guard abandoned.isEmpty || abandoned.remove(id) == nil else {
            return demonitor(process, id)
        }
        pending.update(id) { $0.way = .spawn(process) }
    }

    /// MONITOR_P_EXIT: the process that ran the function has ended.
    func receiveDown(_ reference: Reference, _ reason: Term) {
        guard let id = number(reference), let call = pending.remove(id) else { return }
        finish(call, CallReply.result(ofExit: reason, id: reference))
    }

    /// `{Tag, Result}` to our process: a `gen_server` has answered.
    func receiveReply(_ message: Term) {
        guard case .tuple(let fields) = message, fields.count == 2,
            case .reference(let reference) = fields[0], let id = number(reference),
            let call = pending.remove(id)
        else { return }
        switch call.way {
        case .rex: finish(call, CallReply.result(ofRex: fields[1]))
        case .message, .spawn: finish(call, .success(fields[1]))
        }
    }

    private func number(_ reference: Reference) -> UInt64? {
        identity.number(of: reference, creation: creation)
    }
}

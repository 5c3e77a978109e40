public import ExternalTermFormat
internal import Transport

extension Node {
    /// Calls `module:function(arguments…)` on a node and returns its result.
    ///
    /// The node is connected first if it is not; that counts for the timeout too. Calls to one node share
    /// its connection and do not wait for each other. Cancelling the task does not end a call: its
    /// timeout does.
    ///
    /// - Parameter output: receives what the function, and what it starts, print while the call lasts,
    ///   piece by piece. Without it that is thrown away.
    public func call(
        _ node: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term],
        timeout: Duration, output: (@Sendable (String) -> Void)? = nil
    ) async throws(CallError) -> Term {
        let deadline = MonotonicTime.now + timeout
        if links[node.atom] == nil { try await connect(to: node, deadline: deadline) }
        let result = await withCheckedContinuation { continuation in
            start(node, module, function, arguments, deadline, output, continuation)
        }
        return try result.get()
    }

    /// Asks a node whether it is there and lets us in, as `net_adm:ping/1` does. It is connected first.
    public func ping(
        _ node: NodeName, timeout: Duration = .seconds(7)
    ) async throws(CallError) {
        let deadline = MonotonicTime.now + timeout
        if links[node.atom] == nil { try await connect(to: node, deadline: deadline) }
        let result = await withCheckedContinuation { continuation in
            askWhetherAuthorized(node, deadline, continuation)
        }
        let answer = try result.get()
        guard answer == .atom("yes") else {
            throw .refused("\(node) answers a ping with \(answer)")
        }
    }

    private typealias CallContinuation = CheckedContinuation<Result<Term, CallError>, Never>

    private func start(
        _ node: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term],
        _ deadline: MonotonicTime, _ output: (@Sendable (String) -> Void)?,
        _ continuation: CallContinuation
    ) {
        guard let link = linkForCall(to: node, continuation) else { return }
        let id = makeReference(link)
        let from = pid(0, link)
        var leaderID: UInt32?
        if let output {
            let id = processes.newID()
            leaderID = id
            leaders[id] = GroupLeader(
                maximumByteCount: configuration.maximumOutputByteCount, output: output)
        }
        let leader = pid(leaderID ?? 0, link, serial: ProcessTable.leaderSerial)
        let message: ControlMessage
        let way: PeerLink.OutgoingCall.Way
        if link.peer.flags.contains(.spawn) {
            way = .spawn(nil)
            message = .spawnRequest(
                SpawnRequest(
                    id: id, from: from, groupLeader: leader, module: "erpc",
                    function: "execute_call",
                    arguments: [
                        .reference(id), .atom(module), .atom(function), .list(arguments),
                    ], options: [.atom("monitor")], token: nil))
        } else {
            way = .rex
            message = Self.genCall(
                "rex", from, id,
                .tuple([
                    .atom("call"), .atom(module), .atom(function), .list(arguments), .pid(leader),
                ]))
        }
        let call = PeerLink.OutgoingCall(
            continuation: continuation, way: way, leader: leaderID)
        send(message, id, call, deadline, link)
    }

    private func askWhetherAuthorized(
        _ node: NodeName, _ deadline: MonotonicTime, _ continuation: CallContinuation
    ) {
        guard let link = linkForCall(to: node, continuation), let name else { return }
        let id = makeReference(link)
        let message = Self.genCall(
            "net_kernel", pid(0, link), id, .tuple([.atom("is_auth"), .atom(name.atom)]))
        let call = PeerLink.OutgoingCall(continuation: continuation, way: .message)
        send(message, id, call, deadline, link)
    }

    /// What `gen_server:call/2` sends to a registered name.
    private static func genCall(
        _ name: Atom, _ from: PID, _ id: Reference, _ request: Term
    ) -> ControlMessage {
        .registeredSend(
            from: from, to: name,
            message: .tuple([
                .atom("$gen_call"), .tuple([.pid(from), .reference(id)]), request,
            ]), token: nil)
    }

    /// The connection for one more call; without one, `continuation` is told why.
    private func linkForCall(to node: NodeName, _ continuation: CallContinuation) -> PeerLink? {
        guard let link = links[node.atom] else {
            continuation.resume(returning: .failure(.connectionLost(.closedByPeer)))
            return nil
        }
        guard link.calls.count < configuration.maximumOutgoingCalls else {
            continuation.resume(
                returning: .failure(
                    .refused("\(link.calls.count) calls to \(node) are under way already")))
            return nil
        }
        return link
    }

    private func send(
        _ message: ControlMessage, _ id: Reference, _ call: PeerLink.OutgoingCall,
        _ deadline: MonotonicTime, _ link: PeerLink
    ) {
        guard link.connection.sendIfRoom(message) else {
            let name = link.peer.name
            return finish(
                call,
                .failure(
                    .refused("too many bytes wait to be sent to \(name): it reads too slowly")))
        }
        link.calls.insert(id, call, deadline: deadline)
        scheduleDeadline(link)
    }

    private func scheduleDeadline(_ link: PeerLink) {
        guard let next = link.calls.nextDeadline else { return }
        if let time = link.timerTime, time <= next { return }
        link.timer?.cancel()
        link.timerTime = next
        let name = link.peer.name.atom
        link.timer = loop.schedule(at: next) {
            self.expireCalls(name)
        }
    }

    private func expireCalls(_ name: Atom) {
        guard let link = links[name] else { return }
        link.timerTime = nil
        for (id, call) in link.calls.takeExpired(now: .now) {
            switch call.way {
            case .spawn(let process?):
                link.connection.send(
                    .demonitor(from: pid(0, link), to: .pid(process), reference: id))
            case .spawn(nil):
                if link.abandoned.count < PeerLink.maximumAbandoned { link.abandoned.insert(id) }
            case .rex, .message: break
            }
            finish(call, .failure(.timedOut))
        }
        scheduleDeadline(link)
    }

    private func finish(_ call: PeerLink.OutgoingCall, _ result: Result<Term, CallError>) {
        if let leader = call.leader { leaders[leader] = nil }
        call.continuation.resume(returning: result)
    }

    // MARK: Answers

    func receive(_ reply: SpawnReply, _ link: PeerLink) {
        if link.abandoned.remove(reply.id) != nil {
            if case .started(let process) = reply.result, reply.isMonitored {
                link.connection.send(
                    .demonitor(from: pid(0, link), to: .pid(process), reference: reply.id))
            }
            return
        }
        switch reply.result {
        case .started(let process):
            link.calls.update(reply.id) { $0.way = .spawn(process) }
        case .failed(let reason):
            guard let call = link.calls.remove(reply.id) else { return }
            finish(call, .failure(.badRPC(.atom(reason))))
        }
    }

    func receiveDown(_ reference: Reference, _ reason: Term, _ link: PeerLink) {
        guard let call = link.calls.remove(reference) else { return }
        finish(call, CallReply.result(ofExit: reason, id: reference))
    }

    /// `{Tag, Result}` to our process: a `gen_server` has answered.
    func receiveReply(_ message: Term, _ link: PeerLink) {
        guard case .tuple(let fields) = message, fields.count == 2,
            case .reference(let id) = fields[0], let call = link.calls.remove(id)
        else { return }
        switch call.way {
        case .rex: finish(call, CallReply.result(ofRex: fields[1]))
        case .message, .spawn: finish(call, .success(fields[1]))
        }
    }
}

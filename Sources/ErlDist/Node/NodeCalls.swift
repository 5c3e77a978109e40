public import ExternalTermFormat
internal import Transport

extension Node {
    /// Calls `module:function(arguments…)` on a node and returns its result.
    ///
    /// The node is connected first if it is not; that counts for the timeout too. Calls to one node share
    /// its connection and do not wait for each other. When the task is cancelled the call ends at once with
    /// ``CallError/cancelled``; the function goes on on the other side.
    ///
    /// - Parameter output: receives what the function, and what it starts, print while the call lasts,
    ///   piece by piece. Without it that is thrown away.
    public func call(
        _ node: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term],
        timeout: Duration, output: (@Sendable (String) -> Void)? = nil
    ) async throws(CallError) -> Term {
        let deadline = MonotonicTime.now + timeout
        if links[node.atom] == nil { try await connect(to: node, deadline: deadline) }
        let link = try linkForCall(to: node)
        let id = makeNumber()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                start(id, link, module, function, arguments, deadline, output, continuation)
            }
        } onCancel: {
            Task { await self.cancelCall(id, on: node.atom) }
        }
        return try result.get()
    }

    /// Calls `module:function(arguments…)` on several nodes at once, as `erpc:multicall/5` does.
    ///
    /// Nobody waits for anybody: a node that cannot be reached, or does not answer, costs the others nothing.
    /// - Parameter timeout: for each of the calls, connecting included.
    /// - Returns: what came of each call, in the order of the nodes.
    public func multicall(
        _ nodes: [NodeName], _ module: Atom, _ function: Atom, _ arguments: [Term],
        timeout: Duration
    ) async -> [Result<Term, CallError>] {
        await withTaskGroup(of: (index: Int, result: Result<Term, CallError>).self) { group in
            for (index, node) in nodes.enumerated() {
                group.addTask {
                    do throws(CallError) {
                        let value = try await self.call(
                            node, module, function, arguments, timeout: timeout)
                        return (index, .success(value))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            // Every place is filled: a group returns as many results as it has tasks.
            var results = [Result<Term, CallError>](
                repeating: .failure(.cancelled), count: nodes.count)
            for await (index, result) in group { results[index] = result }
            return results
        }
    }

    /// Makes a node run `module:function(arguments…)`, as `erpc:cast/4` does: its result, its exceptions
    /// and what it prints go nowhere, and whether it runs at all is not known.
    ///
    /// The node is connected first if it is not. Every cast is a process of its own there: two of them run
    /// side by side, in no particular order.
    /// - Throws: what connecting throws; ``CallError/refused(_:)`` when too much waits to be sent to that node.
    public func cast(
        _ node: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term]
    ) async throws(CallError) {
        try await connect(to: node)
        guard let link = links[node.atom] else { throw .connectionLost(.closedByPeer) }
        let from = pid(0, link)
        let leader = pid(0, link, serial: ProcessTable.leaderSerial)
        let function: [Term] = [.atom(module), .atom(function), .list(arguments)]
        let message: ControlMessage
        if link.peer.flags.contains(.spawn) {
            // Its reply names a process that nobody asks about, and is dropped.
            message = .spawnRequest(
                SpawnRequest(
                    id: makeReference(link), from: from, groupLeader: leader, module: "erpc",
                    function: "execute_cast", arguments: function, options: [], token: nil))
        } else {
            message = .registeredSend(
                from: from, to: "rex",
                message: .tuple([
                    .atom("$gen_cast"), .tuple([.atom("cast")] + function + [.pid(leader)]),
                ]), token: nil)
        }
        guard link.connection.sendIfRoom(message) else {
            throw .refused("too many bytes wait to be sent to \(node): it reads too slowly")
        }
    }

    /// Asks a node whether it is there and lets us in, as `net_adm:ping/1` does. It is connected first.
    public func ping(
        _ node: NodeName, timeout: Duration = .seconds(7)
    ) async throws(CallError) {
        let deadline = MonotonicTime.now + timeout
        if links[node.atom] == nil { try await connect(to: node, deadline: deadline) }
        let link = try linkForCall(to: node)
        let id = makeNumber()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                askWhetherAuthorized(id, link, deadline, continuation)
            }
        } onCancel: {
            Task { await self.cancelCall(id, on: node.atom) }
        }
        let answer = try result.get()
        guard answer == .atom("yes") else {
            throw .refused("\(node) answers a ping with \(answer.brief)")
        }
    }

    private typealias CallContinuation = UnsafeContinuation<Result<Term, CallError>, Never>

    private func start(
        _ id: UInt64, _ link: PeerLink, _ module: Atom, _ function: Atom, _ arguments: [Term],
        _ deadline: MonotonicTime, _ output: (@Sendable (String) -> Void)?,
        _ continuation: CallContinuation
    ) {
        var leaderID: UInt32?
        if let output {
            let id = processes.newID()
            leaderID = id
            leaders[id] = GroupLeader(
                maximumByteCount: configuration.maximumOutputByteCount, output: output)
        }
        if let frame = link.callFrames?.request(
            id, leader: leaderID ?? 0, module, function, arguments)
        {
            if link.connection.callFrames == nil { link.connection.callFrames = link.callFrames }
            let call = PeerLink.OutgoingCall(
                continuation: continuation, way: .spawn(nil), leader: leaderID)
            let isSent = link.connection.sendIfRoom(frame: frame)
            return isSent ? waitForAnswer(id, call, deadline, link) : refuse(call, link)
        }
        let from = pid(0, link)
        let leader = pid(leaderID ?? 0, link, serial: ProcessTable.leaderSerial)
        let reference = reference(id, link)
        let message: ControlMessage
        let way: PeerLink.OutgoingCall.Way
        if link.peer.flags.contains(.spawn) {
            way = .spawn(nil)
            message = .spawnRequest(
                SpawnRequest(
                    id: reference, from: from, groupLeader: leader, module: "erpc",
                    function: "execute_call",
                    arguments: [
                        .reference(reference), .atom(module), .atom(function), .list(arguments),
                    ], options: [.atom("monitor")], token: nil))
        } else {
            way = .rex
            message = Self.genCall(
                "rex", from, reference,
                .tuple([
                    .atom("call"), .atom(module), .atom(function), .list(arguments), .pid(leader),
                ]))
        }
        let call = PeerLink.OutgoingCall(
            continuation: continuation, way: way, leader: leaderID)
        send(message, id, call, deadline, link)
    }

    private func askWhetherAuthorized(
        _ id: UInt64, _ link: PeerLink, _ deadline: MonotonicTime,
        _ continuation: CallContinuation
    ) {
        let message = Self.genCall(
            "net_kernel", pid(0, link), reference(id, link),
            .tuple([.atom("is_auth"), .atom(ownAtom)]))
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

    /// The connection for one more call.
    private func linkForCall(to node: NodeName) throws(CallError) -> PeerLink {
        guard let link = links[node.atom] else { throw .connectionLost(.closedByPeer) }
        guard link.calls.count < configuration.maximumOutgoingCalls else {
            throw .refused("\(link.calls.count) calls to \(node) are under way already")
        }
        guard !Task.isCancelled else { throw .cancelled }
        if !link.isUsed {
            link.isUsed = true
            budget.use(node.atom)
        }
        return link
    }

    private func send(
        _ message: ControlMessage, _ id: UInt64, _ call: PeerLink.OutgoingCall,
        _ deadline: MonotonicTime, _ link: PeerLink
    ) {
        guard link.connection.sendIfRoom(message) else { return refuse(call, link) }
        waitForAnswer(id, call, deadline, link)
    }

    private func refuse(_ call: PeerLink.OutgoingCall, _ link: PeerLink) {
        let name = link.peer.name
        finish(
            call,
            .failure(.refused("too many bytes wait to be sent to \(name): it reads too slowly")))
    }

    private func waitForAnswer(
        _ id: UInt64, _ call: PeerLink.OutgoingCall, _ deadline: MonotonicTime, _ link: PeerLink
    ) {
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
            abandon(call, id, link)
            finish(call, .failure(.timedOut))
        }
        scheduleDeadline(link)
    }

    private func cancelCall(_ id: UInt64, on node: Atom) {
        guard let link = links[node], let call = link.calls.remove(id) else { return }
        abandon(call, id, link)
        finish(call, .failure(.cancelled))
    }

    /// Ends the monitor of a call that nobody waits for any more.
    private func abandon(_ call: PeerLink.OutgoingCall, _ id: UInt64, _ link: PeerLink) {
        switch call.way {
        case .spawn(let process?):
            link.connection.send(
                .demonitor(
                    from: pid(0, link), to: .pid(process), reference: reference(id, link)))
        case .spawn(nil):
            if link.abandoned.count < PeerLink.maximumAbandoned { link.abandoned.insert(id) }
        case .rex, .message: break
        }
    }

    private func finish(_ call: PeerLink.OutgoingCall, _ result: Result<Term, CallError>) {
        if let leader = call.leader { leaders[leader] = nil }
        call.continuation.resume(returning: result)
    }

    // MARK: Answers

    func receive(_ answer: CallFrames.Answer, _ link: PeerLink) {
        switch answer {
        case .started(let id, let process): started(id, process, link)
        case .returned(let id, let value):
            if let call = link.calls.remove(id) { finish(call, .success(value)) }
        }
    }

    func receive(_ reply: SpawnReply, _ link: PeerLink) {
        guard let id = number(reply.id, link) else { return }
        switch reply.result {
        case .started(let process): started(id, process, link)
        case .failed(let reason):
            link.abandoned.remove(id)
            guard let call = link.calls.remove(id) else { return }
            finish(call, .failure(.badRPC(.atom(reason))))
        }
    }

    private func started(_ id: UInt64, _ process: PID, _ link: PeerLink) {
        guard link.abandoned.isEmpty || link.abandoned.remove(id) == nil else {
            return link.connection.send(
                .demonitor(
                    from: pid(0, link), to: .pid(process), reference: reference(id, link)))
        }
        link.calls.update(id) { $0.way = .spawn(process) }
    }

    func receiveDown(_ reference: Reference, _ reason: Term, _ link: PeerLink) {
        guard let id = number(reference, link), let call = link.calls.remove(id) else { return }
        finish(call, CallReply.result(ofExit: reason, id: reference))
    }

    /// `{Tag, Result}` to our process: a `gen_server` has answered.
    func receiveReply(_ message: Term, _ link: PeerLink) {
        guard case .tuple(let fields) = message, fields.count == 2,
            case .reference(let reference) = fields[0], let id = number(reference, link),
            let call = link.calls.remove(id)
        else { return }
        switch call.way {
        case .rex: finish(call, CallReply.result(ofRex: fields[1]))
        case .message, .spawn: finish(call, .success(fields[1]))
        }
    }
}

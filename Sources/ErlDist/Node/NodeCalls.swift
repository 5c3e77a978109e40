public import ExternalTermFormat
internal import Transport

extension Node {
    /// Calls `module:function(arguments…)` on a node and returns its result.
    ///
    /// If the node is not connected it is connected first, which counts for the timeout too. Calls
    /// to one node share its connection and do not wait for each other. When the task is cancelled
    /// the call ends at once with ``CallError/cancelled``; the function goes on at the other side.
    ///
    /// - Parameter output: receives, piece by piece, what the function and the processes that it
    ///   starts print while the call lasts. Without it that text is thrown away.
    public func call(
        _ node: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term],
        timeout: Duration, output: (@Sendable (String) -> Void)? = nil
    ) async throws(CallError) -> Term {
        let deadline = MonotonicTime.now + timeout
        return try await answer(of: node, deadline: deadline) { calls, id, continuation in
            calls.call(
                id, module, function, arguments, leader: output.map(startLeader),
                deadline: deadline, continuation)
        }
    }

    /// Calls `module:function(arguments…)` on several nodes at once, as `erpc:multicall/5` does.
    ///
    /// The calls do not wait for each other: a node that cannot be reached, or does not answer,
    /// costs the others nothing.
    /// - Parameter timeout: for each of the calls, connecting included.
    /// - Returns: the result of each call, in the order of the nodes.
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

    /// Makes a node run `module:function(arguments…)`, as `erpc:cast/4` does. Its result, its
    /// exceptions and its output are thrown away. The caller does not learn whether it runs at all.
    ///
    /// If the node is not connected it is connected first. Every cast is a process of its own
    /// there: two casts run side by side, in no particular order.
    /// - Throws: what connecting throws; ``CallError/limit(_:)`` when too much waits to be sent
    ///   to that node.
    public func cast(
        _ node: NodeName, _ module: Atom, _ function: Atom, _ arguments: [Term]
    ) async throws(CallError) {
        try await connect(to: node)
        guard let peer = peers[node.atom] else { throw .connectionLost(.closedByPeer) }
        try peer.calls.cast(module, function, arguments)
    }

    /// Asks a node whether it is there and lets us in, as `net_adm:ping/1` does. The node is
    /// connected first.
    public func ping(
        _ node: NodeName, timeout: Duration = .seconds(7)
    ) async throws(CallError) {
        let deadline = MonotonicTime.now + timeout
        let answer = try await answer(of: node, deadline: deadline) { calls, id, continuation in
            calls.askWhetherAuthorized(id, deadline: deadline, continuation)
        }
        guard answer == .atom("yes") else {
            throw .refused("\(node) answers a ping with \(answer.brief)")
        }
    }

    /// Connects a node unless it is connected. Then `begin` sends it a call, and this waits for the
    /// answer.
    private func answer(
        of node: NodeName, deadline: MonotonicTime,
        _ begin: (OutgoingCalls, UInt64, OutgoingCalls.Continuation) -> Void
    ) async throws(CallError) -> Term {
        if peers[node.atom] == nil { try await connect(to: node, deadline: deadline) }
        guard let peer = peers[node.atom] else { throw .connectionLost(.closedByPeer) }
        let calls = peer.calls
        guard calls.count < configuration.maximumOutgoingCalls else {
            throw .limit("\(calls.count) calls to \(node) are under way already")
        }
        guard !Task.isCancelled else { throw .cancelled }
        peers.use(peer)
        let id = identity.makeNumber()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                // The closure runs on the actor only if it mentions the actor.
                assertIsolated()
                begin(calls, id, continuation)
            }
        } onCancel: {
            Task { await self.cancelCall(id, on: node.atom) }
        }
        return try result.get()
    }

    private func startLeader(_ output: @escaping @Sendable (String) -> Void) -> UInt32 {
        let id = processes.newID()
        leaders.add(id, output: output)
        return id
    }

    private func cancelCall(_ id: UInt64, on node: Atom) {
        peers[node]?.calls.cancel(id)
    }
}

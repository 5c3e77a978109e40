internal import ExternalTermFormat
internal import Transport

// What the processes of this node do: the other half of ``ErlangProcess``.

extension Node {
    /// A new process with a pid and an empty mailbox. It lives until it ends or nobody holds it any
    /// more.
    /// - Parameter trapsExits: whether exit signals become messages instead of ending it.
    public func spawnProcess(
        trapsExits: Bool = false, mailbox: MailboxCapacity = MailboxCapacity()
    ) -> ErlangProcess {
        ErlangProcess(
            node: self, id: processes.spawn(trapsExits: trapsExits, capacity: mailbox))
    }

    /// Runs an operation of a process that waits for nothing.
    func withProcesses<Value: Sendable, Failure: Error>(
        _ body: @Sendable (LocalProcesses) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try body(processes)
    }

    // MARK: Sending

    func send(
        _ message: Term, from id: UInt32, to destination: ProcessDestination
    ) async throws(CallError) {
        let node = try await reach(destination)
        guard let peer = try processes.send(message, from: id, to: destination, on: node) else {
            return
        }
        switch peer.connection.relieve() {
        case .none: return
        case .yield: await Task.yield()
        // The connection may have ended by now; then nothing will be sent any more.
        case .wait: if peers[node] === peer { await waitUntilSent(peer) }
        }
    }

    func reply(_ reply: Term, to call: ServerCall, from id: UInt32) async {
        await whenRoom(to: call.pid.node) { processes.reply(reply, to: call, from: id) }
    }

    /// An answer waits here while many bytes wait to be sent to its node. So a burst of large
    /// answers takes no more memory than the answers themselves, and none is lost.
    func whenRoom(to node: Atom, _ answer: () -> Void) async {
        while let peer = peers[node], peer.connection.isBusy, !Task.isCancelled {
            await waitUntilSent(peer)
        }
        // No other answer takes the room in between: nothing is awaited here.
        answer()
    }

    /// Waits until what was sent has left. So a task that sends without end neither fills the queue
    /// nor keeps others from the loop. OTP suspends such processes too (`+zdbbl` in erl(1)).
    private func waitUntilSent(_ peer: PeerConnection) async {
        let (sender, node) = (identity.makeNumber(), peer.name)
        await suspend { continuation in
            guard !Task.isCancelled else { return continuation.resume() }
            peer.waitUntilSent(sender, continuation)
        } onCancel: {
            $0.peers[node]?.resumeSender(sender)
        }
    }

    func sendExit(to pid: PID, reason: Term, from id: UInt32) async throws(CallError) {
        _ = try await reach(.pid(pid))
        try processes.sendExit(to: pid, reason: reason, from: id)
    }

    /// Connects the node of a destination, unless that is this node or is connected already.
    /// - Returns: the node's name.
    private func reach(
        _ destination: ProcessDestination, deadline: MonotonicTime? = nil
    ) async throws(CallError) -> Atom {
        let atom = destination.node
        if peers[atom] != nil || atom == identity.atom { return atom }
        let name: NodeName
        if case .name(_, let node) = destination {
            name = node
        } else {
            do throws(NodeNameError) {
                name = try NodeName(atom.name)
            } catch {
                throw .refused("\(atom.name): \(error)")
            }
        }
        if let deadline {
            try await connect(to: name, deadline: deadline)
        } else {
            try await connect(to: name)
        }
        return atom
    }

    private func isReachable(_ destination: ProcessDestination) async -> Bool {
        do throws(CallError) {
            let node = try await reach(destination)
            return peers[node] != nil || node == identity.atom
        } catch {
            return false
        }
    }

    // MARK: Watching

    func monitor(_ destination: ProcessDestination, from id: UInt32) async -> Reference {
        let isReached = await isReachable(destination)
        return processes.monitor(destination, from: id, isReached: isReached)
    }

    func link(_ id: UInt32, to pid: PID) async {
        let isReached = await isReachable(.pid(pid))
        processes.link(id, to: pid, isReached: isReached)
    }

    // MARK: Calling servers

    func callServer(
        _ server: ProcessDestination, _ request: Term, from id: UInt32, timeout: Duration
    ) async throws(CallError) -> Term {
        let deadline = MonotonicTime.now + timeout
        guard let target = ProcessIdentifier(server) else {
            throw .refused("an alias cannot be called")
        }
        let node = try await reach(server, deadline: deadline)
        try processes.livingForCall(id)
        guard !Task.isCancelled else { throw .cancelled }
        let reference = processes.makeReference(for: node)
        let result = await suspend { continuation in
            processes.call(
                target, request, from: id, on: node, reference, deadline: deadline, continuation)
        } onCancel: {
            $0.processes.cancelCall(reference, of: id)
        }
        return try result.get()
    }

    // MARK: Receiving

    func receive(_ id: UInt32, timeout: Duration?) async throws(ReceiveError) -> ProcessMessage {
        if let message = try processes.nextMessage(of: id) { return message }
        guard !Task.isCancelled else { throw .cancelled }
        let waiter = identity.makeNumber()
        let result = await suspend { continuation in
            processes.wait(waiter, for: id, timeout: timeout, continuation)
        } onCancel: {
            $0.processes.cancelWait(waiter, of: id)
        }
        return try result.get()
    }

    // MARK: Waiting

    /// Suspends until the continuation that `begin` keeps is resumed. When the task is cancelled,
    /// `cancel` resumes it.
    func suspend<Value: Sendable>(
        _ begin: (CheckedContinuation<Value, Never>) -> Void,
        onCancel cancel: @escaping @Sendable (isolated Node) -> Void
    ) async -> Value {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // The closure runs on the actor only if it mentions the actor.
                assertIsolated()
                begin(continuation)
            }
        } onCancel: {
            Task { await cancel(self) }
        }
    }
}

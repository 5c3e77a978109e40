public import ExternalTermFormat

/// A process of this node: it has a pid, a mailbox and perhaps names. Processes on any node can
/// send to it, monitor it and link to it as they do with their own.
///
/// ```swift
/// let process = await node.spawnProcess()
/// try await process.register("greeter")
/// for await message in process.messages {
///     guard case .message(let term, _) = message else { continue }
///     if let call = ServerCall(term) { await process.reply(call.request, to: call) }
/// }
/// ```
/// It runs no code of its own: the tasks that hold it act for it. It ends by ``end(reason:)``, by
/// an exit signal that it does not trap, or when nobody holds it any more.
///
/// If a destination's node is not connected, it is connected first, as in Erlang.
///
/// Its functions run on their caller's executor: a caller on the node's event loop stays on that
/// thread.
public final class ErlangProcess: Sendable {
    /// What comes to a process.
    public typealias Message = ProcessMessage
    /// The end of a monitored process.
    public typealias Down = ProcessDown
    /// Whom a message, monitor or call is for.
    public typealias Destination = ProcessDestination

    /// The node that it is a process of.
    public let node: Node
    let id: UInt32

    init(node: Node, id: UInt32) {
        self.node = node
        self.id = id
    }

    deinit {
        let (node, id) = (node, id)
        Task { await node.withProcesses { $0.forget(id) } }
    }

    // MARK: Who it is

    /// How others name the process. The pid contains the node's present name and creation. So ask
    /// for it once the node is registered or, if a peer gives it its name, connected.
    public var pid: PID {
        get async { await node.withProcesses { [id] in $0.pid(of: id) } }
    }

    /// Why the process has ended; `nil` as long as it lives.
    public var exitReason: Term? {
        get async { await node.withProcesses { [id] in $0.exitReason(of: id) } }
    }

    /// Gives the process a name, by which others can send to it, call it and monitor it.
    nonisolated(nonsending) public func register(_ name: Atom) async throws(ProcessError) {
        try await node.withProcesses { [id] processes throws(ProcessError) in
            try processes.register(name, for: id)
        }
    }

    /// Takes a name from the process; `false` when the process does not have it.
    @discardableResult
    nonisolated(nonsending) public func unregister(_ name: Atom) async -> Bool {
        await node.withProcesses { [id] in $0.unregister(name, of: id) }
    }

    /// Makes a reference that others can send to. It is valid until ``removeAlias(_:)`` or the
    /// process's end.
    nonisolated(nonsending) public func makeAlias() async throws(ProcessError) -> Reference {
        try await node.withProcesses { [id] processes throws(ProcessError) in
            try processes.makeAlias(for: id)
        }
    }

    /// Removes an alias: messages to it are thrown away from now on.
    nonisolated(nonsending) public func removeAlias(_ alias: Reference) async {
        await node.withProcesses { [id] in $0.removeAlias(alias, of: id) }
    }

    // MARK: Sending

    /// Sends a message. Whether it arrives is not known. Two messages to the same process arrive in
    /// order when the second is sent after this has returned for the first. A sender that is faster
    /// than the other node reads waits here; cancelling the task ends the wait.
    /// - Throws: ``CallError/limit(_:)`` when too much waits to be sent to that node already,
    ///   ``CallError/refused(_:)`` when the process has ended; also what connecting throws.
    nonisolated(nonsending) public func send(_ message: Term, to destination: Destination)
        async throws(CallError)
    {
        try await node.send(message, from: id, to: destination)
    }

    /// Calls a server as `gen_server:call/3` does.
    ///
    /// Cancelling the task ends the call at once; the server may still handle the request.
    /// - Throws: ``CallError/exception(class:reason:stack:)`` with the class `exit` when the server
    ///   ends or does not exist (`noproc`).
    nonisolated(nonsending) public func call(
        _ server: Destination, _ request: Term, timeout: Duration = .seconds(5)
    ) async throws(CallError) -> Term {
        try await node.callServer(server, request, from: id, timeout: timeout)
    }

    /// Sends a request to a server as `gen_server:cast/2` does.
    nonisolated(nonsending) public func cast(_ server: Destination, _ request: Term)
        async throws(CallError)
    {
        try await send(.tuple([.atom("$gen_cast"), request]), to: server)
    }

    /// Answers a call. It has no effect when the caller has given up or its node is gone. While
    /// much waits to be sent to that node already, the answer waits here.
    nonisolated(nonsending) public func reply(_ reply: Term, to call: ServerCall) async {
        await node.reply(reply, to: call, from: id)
    }

    // MARK: Watching

    /// Watches a process. One ``Message/down(_:)`` comes when the process ends, does not exist, or
    /// cannot be reached.
    nonisolated(nonsending) public func monitor(_ process: Destination) async -> Reference {
        await node.monitor(process, from: id)
    }

    /// Ends a monitor: after this no ``Message/down(_:)`` of it is received, not even one that
    /// waits already.
    nonisolated(nonsending) public func demonitor(_ monitor: Reference) async {
        await node.withProcesses { [id] in $0.demonitor(monitor, from: id) }
    }

    /// Links to a process: when one of the two ends the other gets an exit signal.
    nonisolated(nonsending) public func link(to pid: PID) async {
        await node.link(id, to: pid)
    }

    /// Removes a link. An exit signal of it that comes later is ignored.
    nonisolated(nonsending) public func unlink(from pid: PID) async {
        await node.withProcesses { [id] in $0.unlink(id, from: pid) }
    }

    /// Sets whether exit signals become messages (`trap_exit`) instead of ending the process.
    nonisolated(nonsending) public func setTrapsExits(_ trapsExits: Bool) async {
        await node.withProcesses { [id] in $0.setTrapsExits(trapsExits, of: id) }
    }

    // MARK: Ending

    /// Sends a process an exit signal, as `exit(Pid, Reason)` does. `kill` cannot be trapped.
    nonisolated(nonsending) public func exit(_ pid: PID, reason: Term) async throws(CallError) {
        try await node.sendExit(to: pid, reason: reason, from: id)
    }

    /// Ends this process: its names become free, its messages are dropped, and its watchers are
    /// told.
    nonisolated(nonsending) public func end(reason: Term = .atom(.normal)) async {
        await node.withProcesses { [id] in $0.end(id, reason: reason) }
    }

    // MARK: Receiving

    /// The next message. When several tasks wait, each gets one, in the order in which they began
    /// to wait.
    /// - Parameter timeout: how long to wait; `nil` waits as long as it takes.
    nonisolated(nonsending) public func receive(timeout: Duration? = nil) async throws(ReceiveError)
        -> Message
    {
        try await node.receive(id, timeout: timeout)
    }

    /// The messages as they come, until the process has ended or the task is cancelled.
    public var messages: Messages { Messages(process: self) }

    /// The messages of a process. Each message goes to one consumer only.
    public struct Messages: AsyncSequence, Sendable {
        let process: ErlangProcess

        /// Waits for one message after the other.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let process: ErlangProcess

            /// The next message; `nil` once the process has ended or the task is cancelled.
            public mutating func next() async -> Message? {
                await next(isolation: nil)
            }

            /// The next message; `nil` once the process has ended or the task is cancelled.
            public mutating func next(isolation: isolated (any Actor)?) async -> Message? {
                do throws(ReceiveError) {
                    return try await process.receive()
                } catch {
                    return nil
                }
            }
        }

        /// An iterator. Several iterators share the messages among them.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(process: process) }
    }
}

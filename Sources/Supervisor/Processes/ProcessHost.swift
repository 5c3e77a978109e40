package import Transport

/// Where programs run: this host, or a simulated one. Everything is called on the loop's thread.
package protocol ProcessHost: Sendable {
    /// Starts a program that leads a session of its own.
    ///
    /// `record` runs elsewhere, after the process exists and before it becomes the program: it writes the
    /// identity to disk. When it throws, and when deployex is killed meanwhile, the program does not run. No
    /// event comes before the call has returned.
    func start(
        _ program: Program, record: @escaping @Sendable (ProcessIdentity) throws -> Void,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> any RunningSession

    /// Takes over a process that an earlier deployex started; `nil` when no running process has that
    /// identity. How it ends is `.unknown`: it is not our child.
    /// - Parameter others: what that deployex has seen leave its session.
    func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity],
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> (any RunningSession)?

    /// As ``SessionLeaders/running(in:with:owners:)``.
    func leaders(
        in folder: String, with variable: String, owners: TrustedUsers
    ) async -> [ProcessIdentity]

    /// As ``MarkedProcess/running(with:owners:)``.
    func marked(with variable: String, owners: TrustedUsers) async -> [MarkedProcess]

    /// The boot that the host runs in.
    var bootID: String { get }

    /// How long ago the process started. Meaningful in the same boot only.
    func age(of identity: ProcessIdentity) -> Duration
}

/// A process that leads a session, until nothing of the session is left.
package protocol RunningSession: AnyObject, Sendable {
    var identity: ProcessIdentity { get }
    /// Tells which sockets its processes hold; `nil` where there are none.
    var sockets: SessionSockets? { get }
    /// Whether a program that has `pid` for its own is one of its processes.
    func includes(_ pid: Int32) async -> Bool
    /// Asks the session to end, soon: as ``ProcessSession/terminate()``. Does nothing once the leader has ended.
    func terminate()
    /// Sends SIGKILL to the leader and to all that belongs to it, soon.
    func killSession()
}

/// The processes of this host.
package struct SystemProcesses: ProcessHost {
    private let loop: EventLoop
    private let orphans: Orphans?

    package init(loop: EventLoop, orphans: Orphans? = nil) {
        self.loop = loop
        self.orphans = orphans
    }

    package func start(
        _ program: Program, record: @escaping @Sendable (ProcessIdentity) throws -> Void,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> any RunningSession {
        try await ProcessSession.start(
            program, on: loop, orphans: orphans, record: record, onEvent: onEvent)
    }

    package func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity],
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> (any RunningSession)? {
        try await ProcessSession.adopt(identity, others: others, on: loop, onEvent: onEvent)
    }

    package func leaders(
        in folder: String, with variable: String, owners: TrustedUsers
    ) async -> [ProcessIdentity] {
        await offload { SessionLeaders.running(in: folder, with: variable, owners: owners) }
    }

    package func marked(with variable: String, owners: TrustedUsers) async -> [MarkedProcess] {
        await offload { MarkedProcess.running(with: variable, owners: owners) }
    }

    package var bootID: String { ProcessIdentity.currentBootID }

    package func age(of identity: ProcessIdentity) -> Duration { identity.age }
}

package import Transport

/// Where programs run: this host, or a simulated one. Everything is called on the loop's thread.
package protocol ProcessHost: Sendable {
    /// Starts a program that leads a session of its own.
    ///
    /// `record` runs elsewhere, after the process exists and before it becomes the program, and
    /// writes the identity to disk. If `record` throws, or deployex is killed meanwhile, the
    /// program does not run. No event comes before the call has returned.
    func start(
        _ program: Program, record: @escaping @Sendable (ProcessIdentity) throws -> Void,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> any RunningSession

    /// Takes over a process that an earlier deployex started; `nil` when no running process has
    /// that identity. Its exit is reported as `.unknown`, since it is not our child.
    /// - Parameter others: the processes that the earlier deployex saw leave its session.
    func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity],
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> (any RunningSession)?

    /// As ``SessionLeaders/running(in:with:owners:)``.
    func leaders(
        in folder: String, with variable: String, owners: TrustedUsers
    ) async -> [ProcessIdentity]

    /// As ``MarkedProcess/running(with:owners:groups:)``.
    func marked(with variable: String, owners: TrustedUsers) async -> [MarkedProcess]

    /// Removes the control group of an instance, if it has one and nothing is in it.
    /// - Parameter mark: the instance's folder.
    func removeGroup(marked mark: String) async

    /// The value of a variable that a process was started with. It is `nil` if the process has no
    /// variable of that name, or has ended.
    func variable(_ name: String, of identity: ProcessIdentity) async -> String?

    /// The boot that the host runs in.
    var bootID: String { get }

    /// How long ago the process started. Only meaningful within the same boot.
    func age(of identity: ProcessIdentity) -> Duration
}

/// A process that leads a session, until nothing of the session is left.
package protocol RunningSession: AnyObject, Sendable {
    var identity: ProcessIdentity { get }
    /// Tells which sockets the session's processes hold; `nil` if there are no processes.
    var sockets: SessionSockets? { get }
    /// Whether one of the session's processes runs a program that sees `pid` as its own pid.
    func includes(_ pid: Int32) async -> Bool
    /// Asks the session to end, soon, as ``ProcessSession/terminate()`` does. Does nothing once the
    /// leader has ended.
    func terminate()
    /// Sends SIGKILL to the leader and to everything that belongs to it, soon.
    func killSession()
}

/// The processes of this host.
package struct SystemProcesses: ProcessHost {
    private let loop: EventLoop
    private let orphans: Orphans?
    private let groups: ControlGroups?
    private let warn: @Sendable (String) -> Void
    private let warned = Warned()

    /// What was warned of.
    private final class Warned: Sendable {
        let texts = Guarded<Set<String>>([])
    }

    /// - Parameter warn: called on the loop's thread, once with each thing that a program does not
    ///   get for want of rights.
    package init(
        loop: EventLoop, orphans: Orphans? = nil, groups: ControlGroups? = nil,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.loop = loop
        self.orphans = orphans
        self.groups = groups
        self.warn = warn
    }

    private func warnOnce(_ text: String) {
        // There are few: they name an instance's group at most.
        if warned.texts.withLock({ $0.insert(text).inserted }) { warn(text) }
    }

    package func start(
        _ program: Program, record: @escaping @Sendable (ProcessIdentity) throws -> Void,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> any RunningSession {
        try await ProcessSession.start(
            program, on: loop, orphans: orphans, groups: groups, warn: warnOnce, record: record,
            onEvent: onEvent)
    }

    package func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity],
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> (any RunningSession)? {
        try await ProcessSession.adopt(
            identity, others: others, on: loop, groups: groups, onEvent: onEvent)
    }

    package func leaders(
        in folder: String, with variable: String, owners: TrustedUsers
    ) async -> [ProcessIdentity] {
        await offload { SessionLeaders.running(in: folder, with: variable, owners: owners) }
    }

    package func marked(with variable: String, owners: TrustedUsers) async -> [MarkedProcess] {
        let groups = groups
        return await offload {
            MarkedProcess.running(with: variable, owners: owners, groups: groups)
        }
    }

    package func removeGroup(marked mark: String) async {
        guard let group = groups?.group(marked: mark) else { return }
        await offload { group.remove() }
    }

    package func variable(_ name: String, of identity: ProcessIdentity) async -> String? {
        await offload {
            let value = ProcFile.variable(name, of: identity.pid)
            // A process that still runs had the pid when we looked at it.
            return identity.isRunning ? value : nil
        }
    }

    package var bootID: String { ProcessIdentity.currentBootID }

    package func age(of identity: ProcessIdentity) -> Duration { identity.age }
}

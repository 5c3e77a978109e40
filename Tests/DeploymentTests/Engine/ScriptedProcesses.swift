import Supervisor
import Transport

@testable import Deployment

/// Processes that do what a test says, and count what they are asked.
final class ScriptedProcesses: ProcessHost, Sendable {
    private let state = Guarded(State())

    private struct State {
        var sessions: [ScriptedSession] = []
        /// Of processes that can be adopted: how many are left when such a one is to end.
        var running: [Int32: Int] = [:]
    }

    let bootID = "boot"

    /// - Parameter running: pids, and how many processes SIGKILL will not end in their sessions.
    init(running: [Int32: Int] = [:]) {
        state.withLock { $0.running = running }
    }

    static func identity(_ pid: Int32) -> ProcessIdentity {
        ProcessIdentity(pid: pid, startTicks: UInt64(pid), bootID: "boot")
    }

    /// In the order in which they were started or adopted.
    var sessions: [ScriptedSession] { state.withLock { $0.sessions } }

    func start(
        _ program: Program, record: @escaping @Sendable (ProcessIdentity) throws -> Void,
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> any RunningSession {
        let identity = Self.identity(1000 + Int32(sessions.count))
        try await offload { try record(identity) }
        return add(ScriptedSession(identity, survivors: nil, onEvent))
    }

    func adopt(
        _ identity: ProcessIdentity, others: [ProcessIdentity],
        onEvent: @escaping (ProcessSession.Event) -> Void
    ) async throws -> (any RunningSession)? {
        guard let survivors = state.withLock({ $0.running[identity.pid] }) else { return nil }
        return add(ScriptedSession(identity, survivors: survivors, onEvent))
    }

    private func add(_ session: ScriptedSession) -> ScriptedSession {
        state.withLock { $0.sessions.append(session) }
        return session
    }

    func leaders(
        in folder: String, with variable: String, owners: TrustedUsers
    ) async -> [ProcessIdentity] { [] }

    func marked(with variable: String, owners: TrustedUsers) async -> [MarkedProcess] { [] }

    func removeGroup(marked mark: String) async {}

    func variable(_ name: String, of identity: ProcessIdentity) async -> String? { nil }

    func age(of identity: ProcessIdentity) -> Duration { .seconds(60) }
}

/// Confined to the loop's thread, apart from its counts.
final class ScriptedSession: RunningSession, @unchecked Sendable {
    let identity: ProcessIdentity
    private let survivors: Int?
    private let onEvent: (ProcessSession.Event) -> Void
    private let signals = Guarded<[String]>([])

    init(
        _ identity: ProcessIdentity, survivors: Int?,
        _ onEvent: @escaping (ProcessSession.Event) -> Void
    ) {
        self.identity = identity
        self.survivors = survivors
        self.onEvent = onEvent
    }

    /// The signals that it was sent.
    var received: [String] { signals.withLock { $0 } }

    let sockets: SessionSockets? = nil

    func includes(_ pid: Int32) async -> Bool { true }

    func terminate() { receive("TERM") }
    func killSession() { receive("KILL") }

    private func receive(_ signal: String) {
        signals.withLock { $0.append(signal) }
        if let survivors { end(survivors) }
    }

    /// Called on the loop's thread.
    func end(_ survivors: Int = 0) {
        onEvent(.exited(.unknown))
        onEvent(.ended(survivors: survivors))
    }
}

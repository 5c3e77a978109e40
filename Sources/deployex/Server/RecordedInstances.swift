internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// The instances of a base folder according to their records, for whoever does not watch them.
struct RecordedInstances: Sendable {
    let basePath: String
    let records: InstanceRecordFolder
    /// Whose processes are believed to be an instance's.
    let owners: TrustedUsers
    let processes: SystemProcesses
    let loop: EventLoop
    /// How long an instance may take to end whose record does not say it.
    var defaultTimeout: Duration = .seconds(10)

    /// An instance of which processes run.
    struct Running: Sendable {
        var record: InstanceRecord
        var processes: [ProcessIdentity]
    }

    /// What the records say.
    struct Findings: Sendable {
        /// The instances of which processes run.
        var running: [Running] = []
        /// The instances whose record is damaged, and which may run: which processes are theirs is
        /// not certain.
        var uncertain: [String] = []
    }

    /// What has become of an instance that was to be stopped.
    struct Stopped: Sendable {
        /// Whether all that is known to be its own has ended.
        var hasEnded: Bool
        /// What goes on, and says that the instance has started it.
        var unseen: [MarkedProcess]
    }

    /// Looks at the records.
    /// - Parameter others: the applications that are left out: their records are read, and a damaged
    ///   one is told of, by whoever serves them.
    func look(besides others: Set<String> = []) async throws -> Findings {
        var findings = Findings()
        for name in try await names() where !others.contains(name.app) {
            guard let record = try await recorded(name, &findings) else { continue }
            let running = await leftover(record).running(in: processes)
            if !running.isEmpty {
                findings.running.append(Running(record: record, processes: running))
            }
        }
        return findings
    }

    /// Stops an instance. Called on the loop's thread, by an actor that is pinned to it.
    /// - Parameter timeout: how long it may take to end; if `nil`, as its record says.
    nonisolated(nonsending) func stop(
        _ record: InstanceRecord, timeout: Duration? = nil
    ) async throws -> Stopped {
        let records = records
        var decided = record
        decided.isStopping = true
        let written = decided
        try await offload { try records.write(written) }
        let (parts, unseen) = try await leftover(record).stop(
            timeout: timeout ?? record.stopTimeout ?? defaultTimeout, in: processes, on: loop)
        return Stopped(hasEnded: !parts.contains(where: \.hasSurvived), unseen: unseen)
    }

    private func leftover(_ record: InstanceRecord) async -> LeftoverInstance {
        LeftoverInstance(
            record, folder: layout(record.name).instanceFolder(record.instance),
            owners: await users(of: record.name))
    }

    private func layout(_ name: InstanceName) -> DeploymentLayout {
        DeploymentLayout(basePath: basePath, application: name.app)
    }

    /// Whose processes are believed to be this instance's: also the user's to whom root's deployex
    /// has given its release.
    private func users(of name: InstanceName) async -> TrustedUsers {
        let (alive, base) = ("\(name)", basePath)
        let user = await offload { CommandTrust.user(ofInstance: alive, base: base) }
        return user.map { owners.adding($0) } ?? owners
    }

    private func names() async throws -> [InstanceName] {
        let records = records
        return try await offload {
            do throws(FileSystemError) {
                return try records.names()
            } catch {
                if error.isNotFound { return [] }
                throw error
            }
        }
    }

    /// The record of an instance that has, or had, a process. If it is damaged, the process that
    /// leads a session in the instance's folder is recorded anew.
    private func recorded(
        _ name: InstanceName, _ findings: inout Findings
    ) async throws -> InstanceRecord? {
        let records = records
        let path: String
        switch try await offload({ try records.read(name) }) {
        case .absent: return nil
        case .found(let record): return record.process == nil ? nil : record
        case .damaged(let setAsideAs, _): path = setAsideAs
        }
        let users = await users(of: name)
        let folders = layout(name)
        let leaders = await processes.leaders(
            in: folders.current(name.number), with: "RELEASE_NODE_SUFFIX=-\(name.number)",
            owners: users)
        if leaders.count == 1 {
            let found = InstanceRecord(name: name, process: leaders[0])
            try await offload { try records.write(found) }
            return found
        }
        let marked = await processes.marked(
            with: "\(Orphans.variable)=\(folders.instanceFolder(name.number))", owners: users)
        let pids = Set(leaders.map(\.pid) + marked.map(\.identity.pid)).sorted()
        guard !pids.isEmpty else { return nil }
        let text = pids.prefix(5).map { "\($0)" }.joined(separator: ", ")
        findings.uncertain.append(
            "\(name) (its record was damaged, and is kept as \(path); OS processes \(text))")
        return nil
    }
}

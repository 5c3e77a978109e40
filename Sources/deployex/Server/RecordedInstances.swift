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

    /// An instance of which processes run.
    struct Running: Sendable {
        var record: InstanceRecord
        var processes: [ProcessIdentity]
    }

    /// What has become of an instance that was to be stopped.
    struct Stopped: Sendable {
        /// Whether all that is known to be its own has ended.
        var hasEnded: Bool
        /// What goes on, and says that the instance has started it.
        var unseen: [MarkedProcess]
    }

    /// The instances of which something runs.
    func running() async throws -> [Running] {
        var found: [Running] = []
        for record in try await recorded() {
            let running = await leftover(record).running(in: processes)
            if !running.isEmpty { found.append(Running(record: record, processes: running)) }
        }
        return found
    }

    /// Stops an instance. Called on the loop's thread, by an actor that is pinned to it.
    nonisolated(nonsending) func stop(
        _ record: InstanceRecord, timeout: Duration = .seconds(10)
    ) async throws -> Stopped {
        let records = records
        var decided = record
        decided.isStopping = true
        let written = decided
        try await offload { try records.write(written) }
        let (parts, unseen) = try await leftover(record).stop(
            timeout: timeout, in: processes, on: loop)
        return Stopped(hasEnded: !parts.contains(where: \.hasSurvived), unseen: unseen)
    }

    private func leftover(_ record: InstanceRecord) -> LeftoverInstance {
        let layout = DeploymentLayout(basePath: basePath, application: record.app)
        return LeftoverInstance(
            record, folder: layout.instanceFolder(record.instance), owners: owners)
    }

    private func recorded() async throws -> [InstanceRecord] {
        let records = records
        return try await offload {
            let names: [InstanceName]
            do throws(FileSystemError) {
                names = try records.names()
            } catch {
                if error.isNotFound { return [] }
                throw error
            }
            var found: [InstanceRecord] = []
            for name in names {
                guard case .found(let record) = try records.read(name), record.process != nil
                else { continue }
                found.append(record)
            }
            return found
        }
    }
}

internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// The running instances of applications that are no longer in the configuration, because they were
/// renamed or removed. An earlier deployex has started them, and nobody watches them.
struct UnconfiguredInstances: Sendable {
    let records: InstanceRecordFolder
    /// The names of the configured applications.
    let configured: Set<String>
    let basePath: String
    /// Whose processes are believed to be an instance's.
    let owners: TrustedUsers
    let processes: SystemProcesses
    let loop: EventLoop
    let log: @Sendable (LogLevel, String) -> Void

    /// An instance of which processes run.
    struct Running: Sendable {
        var record: InstanceRecord
        var processes: [ProcessIdentity]
    }

    /// The instances of which processes run, according to their records.
    func running() async throws -> [Running] {
        var found: [Running] = []
        for record in try await recorded() {
            let running = await leftover(record).running(in: processes)
            if !running.isEmpty { found.append(Running(record: record, processes: running)) }
        }
        return found
    }

    private func leftover(_ record: InstanceRecord) -> LeftoverInstance {
        let layout = DeploymentLayout(basePath: basePath, application: record.app)
        return LeftoverInstance(
            record, folder: layout.instanceFolder(record.instance), owners: owners)
    }

    private func recorded() async throws -> [InstanceRecord] {
        let (records, configured) = (records, configured)
        return try await offload {
            let names: [InstanceName]
            do throws(FileSystemError) {
                names = try records.names()
            } catch {
                if error.isNotFound { return [] }
                throw error
            }
            var found: [InstanceRecord] = []
            for name in names where !configured.contains(name.app) {
                guard case .found(let record) = try records.read(name), record.process != nil
                else { continue }
                found.append(record)
            }
            return found
        }
    }

    /// Names them in the log, and says what to do.
    func report() async {
        do {
            let running = try await running()
            for (app, found) in Dictionary(grouping: running, by: \.record.app) {
                let names = found.sorted { $0.record.instance < $1.record.instance }.map { found in
                    "\(found.record.name) (OS process \(found.processes[0].pid))"
                }
                log(
                    .warning,
                    "\(app) is not in the configuration, and runs on unwatched: "
                        + "\(names.joined(separator: ", ")). Put it there again to have it watched; "
                        + "`deployex stop --all` ends it")
            }
        } catch {
            log(.error, "looking for instances that are not configured: \(error)")
        }
    }

    /// Stops one of them. Called on the loop's thread, by an actor that is pinned to it.
    nonisolated(nonsending) func stop(_ record: InstanceRecord) async {
        let (records, name) = (records, record.name)
        var decided = record
        decided.isStopping = true
        do {
            let written = decided
            try await offload { try records.write(written) }
            let (parts, unseen) = try await leftover(record).stop(
                timeout: .seconds(10), in: processes, on: loop)
            if !unseen.isEmpty {
                let names = unseen.prefix(5).map { "\($0)" }.joined(separator: ", ")
                log(
                    .warning, "\(name) has ended, and processes go on that it had started: \(names)"
                )
            }
            guard parts.contains(where: \.hasSurvived) else {
                try await offload { try records.remove(name) }
                return log(.warning, "\(name), which is not in the configuration, is stopped")
            }
            log(.error, "\(name), which is not in the configuration, is killed and does not end")
        } catch {
            log(.error, "stopping \(name), which is not in the configuration: \(error)")
        }
    }
}

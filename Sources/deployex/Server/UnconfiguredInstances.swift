internal import ErlDist
internal import Supervisor
internal import Transport

/// The running instances of applications that are no longer in the configuration, because they were
/// renamed or removed. An earlier deployex has started them, and nobody watches them.
struct UnconfiguredInstances: Sendable {
    let records: InstanceRecordFolder
    /// The names of the configured applications.
    let configured: Set<String>
    let loop: EventLoop
    let log: @Sendable (LogLevel, String) -> Void

    /// The instances that run, according to their records.
    func running() async throws -> [InstanceRecord] {
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
                guard case .found(let record) = try records.read(name),
                    record.process?.isRunning == true
                else { continue }
                found.append(record)
            }
            return found
        }
    }

    /// Names them in the log, and says what to do.
    func report() async {
        do {
            for (app, found) in Dictionary(grouping: try await running(), by: \.app) {
                let names = found.sorted { $0.instance < $1.instance }.map { record in
                    "\(record.name) (OS process \(record.process?.pid ?? 0))"
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
        guard let process = record.process else { return }
        let (records, name) = (records, record.name)
        var decided = record
        decided.isStopping = true
        do {
            let written = decided
            try await offload { try records.write(written) }
            let processes = SystemProcesses(loop: loop)
            var outcome = try await LeftoverSession.stop(process, in: processes, on: loop)
            for other in record.others ?? [] {
                let ended = try await LeftoverSession.stop(other, in: processes, on: loop)
                if case .survived = ended { outcome = ended }
            }
            guard case .survived = outcome else {
                try await offload { try records.remove(name) }
                return log(.warning, "\(name), which is not in the configuration, is stopped")
            }
            log(.error, "\(name), which is not in the configuration, is killed and does not end")
        } catch {
            log(.error, "stopping \(name), which is not in the configuration: \(error)")
        }
    }
}

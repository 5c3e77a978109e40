internal import Deployment
internal import ErlDist
internal import Supervisor
internal import Transport

/// The running instances of applications that are no longer in the configuration, because they were
/// renamed or removed. An earlier deployex has started them, and nobody watches them.
struct UnconfiguredInstances: Sendable {
    let instances: RecordedInstances
    /// The names of the configured applications.
    let configured: Set<String>
    let log: @Sendable (LogLevel, String) -> Void

    /// The instances of which processes run, according to their records.
    func running() async throws -> [RecordedInstances.Running] {
        let found = try await instances.look(besides: configured)
        for text in found.uncertain {
            log(.error, "\(text): it is not in the configuration, and is not stopped")
        }
        return found.running
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
        let (records, name) = (instances.records, record.name)
        do {
            let stopped = try await instances.stop(record)
            if !stopped.unseen.isEmpty {
                let names = stopped.unseen.prefix(5).map { "\($0)" }.joined(separator: ", ")
                log(
                    .warning, "\(name) has ended, and processes go on that it had started: \(names)"
                )
            }
            guard stopped.hasEnded else {
                return log(
                    .error, "\(name), which is not in the configuration, is killed and does not end"
                )
            }
            try await offload { try records.remove(name) }
            log(.warning, "\(name), which is not in the configuration, is stopped")
        } catch {
            log(.error, "stopping \(name), which is not in the configuration: \(error)")
        }
    }
}

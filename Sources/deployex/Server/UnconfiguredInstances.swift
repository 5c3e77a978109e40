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

    /// The instances of which something runs, according to their records.
    func running() async throws -> [InstanceRecord] {
        try await RecordedInstances(records: records, loop: loop).running()
            .filter { !configured.contains($0.app) }
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
        let (records, name) = (records, record.name)
        do {
            let hasEnded = try await RecordedInstances(records: records, loop: loop).stop(record)
            guard hasEnded else {
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

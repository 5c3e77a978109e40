internal import ErlDist
internal import Supervisor
internal import Transport

/// The instances of a base folder according to their records, for whoever does not watch them.
struct RecordedInstances: Sendable {
    let records: InstanceRecordFolder
    let loop: EventLoop

    /// The records of which something runs.
    func running() async throws -> [InstanceRecord] {
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
                guard case .found(let record) = try records.read(name),
                    record.processes.contains(where: \.isRunning)
                else { continue }
                found.append(record)
            }
            return found
        }
    }

    /// Stops what is recorded of an instance, and nothing else. Called on the loop's thread, by an
    /// actor that is pinned to it.
    /// - Returns: whether all of it has ended.
    nonisolated(nonsending) func stop(
        _ record: InstanceRecord, timeout: Duration = .seconds(10)
    ) async throws -> Bool {
        let records = records
        var decided = record
        decided.isStopping = true
        let written = decided
        try await offload { try records.write(written) }
        let host = SystemProcesses(loop: loop)
        var hasEnded = true
        for (index, process) in record.processes.enumerated() {
            let outcome = try await LeftoverSession.stop(
                process, timeout: index == 0 ? timeout : .seconds(2), in: host, on: loop)
            if case .survived = outcome { hasEnded = false }
        }
        return hasEnded
    }
}

extension InstanceRecord {
    /// Its process first, then those that have left the process's session.
    fileprivate var processes: [ProcessIdentity] {
        [process].compactMap(\.self) + (others ?? [])
    }
}

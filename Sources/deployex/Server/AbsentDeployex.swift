internal import Deployment
internal import EPMD
internal import ErlDist
internal import Supervisor
internal import Transport

/// Does without a deployex what `stop --all` asks of one. No deployex starts meanwhile: the base
/// folder is locked.
struct AbsentDeployex {
    let local: LocalDeployex
    /// How long an instance may take to end; if `nil`, as its record says.
    let timeout: Duration?
    let epmd: EPMDClient
    let loop: EventLoop

    /// Stops the instances that the records name. Called on the loop's thread.
    /// - Returns: what was done; `nil` when no deployex has ever worked in the folder, or when one
    ///   does now.
    /// - Throws: ``CommandFailure`` if something goes on.
    nonisolated(nonsending) func stopAll() async throws -> String? {
        let base = local.base
        guard let work = try await offload({ try Self.open(base) }) else { return nil }
        let instances = RecordedInstances(
            basePath: base, records: work.records, owners: CommandTrust.fileOwners(base: base),
            processes: SystemProcesses(loop: loop), loop: loop)
        let found = try await instances.look()
        let running = found.running.map(\.record)
        var left = try await stopCommands(of: work) + found.uncertain
        try await withThrowingTaskGroup(
            of: (InstanceRecord, RecordedInstances.Stopped).self
        ) { group in
            for record in running {
                group.addTask(executorPreference: loop) {
                    (record, try await instances.stop(record, timeout: timeout))
                }
            }
            while let (record, stopped) = try await group.next() {
                left += stopped.unseen.map { "\(record.name): \($0)" }
                guard stopped.hasEnded else {
                    left.append("\(record.name)")
                    continue
                }
                var ended = record
                ended.end()
                let written = ended
                try await offload { try work.records.write(written) }
            }
        }
        guard left.isEmpty else {
            throw CommandFailure(
                "what goes on although it was to end: \(left.joined(separator: ", "))")
        }
        try await endHolder(of: work)
        let isEPMDEnded = try await endEPMD()
        withExtendedLifetime(work) {}
        let names = running.map { "\($0.name)" }.sorted().joined(separator: ", ")
        return "deployex was not running; "
            + (running.isEmpty ? "no instance of \(base) runs" : "\(names): stopped")
            + (isEPMDEnded ? ", and EPMD has ended" : "")
    }

    /// Stops the pre-commands that are recorded.
    /// - Returns: those that do not end.
    private nonisolated(nonsending) func stopCommands(of work: Work) async throws -> [String] {
        let commands = try await offload {
            try CommandRecordFile.all(in: work.records.path, files: work.files)
        }
        var left: [String] = []
        for (application, command) in commands {
            guard let identity = try await offload({ try command.read() }) else { continue }
            let outcome = try await LeftoverSession.stop(
                identity, timeout: .seconds(2), in: SystemProcesses(loop: loop), on: loop)
            if case .survived = outcome {
                left.append("a pre-command of \(application)")
            } else {
                try await offload { try command.remove() }
            }
        }
        return left
    }

    /// Closes the sockets that the instances had.
    private nonisolated(nonsending) func endHolder(of work: Work) async throws {
        let users = CommandTrust.fileOwners(base: local.base)
        do {
            try await offload {
                guard
                    let holder = try HolderClient.connect(
                        in: try work.anchor.reopened(), users: users)
                else { return }
                try holder.end()
            }
        } catch {
            throw CommandFailure(
                "every instance is stopped, and their listening sockets stay open: \(error)")
        }
    }

    private struct Work: Sendable {
        let anchor: FolderAnchor
        let lock: FolderLock
        let records: InstanceRecordFolder
        let files: any FileSystem
    }

    /// Opens and locks the folder; `nil` when no deployex has worked in it, or one does. It blocks.
    private static func open(_ base: String) throws -> Work? {
        let folder: FileDescriptor
        do throws(PathTrustError) {
            folder = try PathTrust().folder(base)
        } catch {
            if error.isNotFound { return nil }
            throw CommandFailure("\(error)")
        }
        let anchor = FolderAnchor(folder, path: base)
        let files = HostFileSystem(below: anchor)
        guard try files.status(base + "/deployex.lock") != nil else { return nil }
        do throws(FolderLock.Failure) {
            return Work(
                anchor: anchor, lock: try FolderLock(folder: anchor.path),
                records: InstanceRecordFolder(base: base, fileSystem: files), files: files)
        } catch {
            if case .held = error { return nil }
            throw CommandFailure("\(error)")
        }
    }

    /// Ends the EPMD that a deployex of this folder has started, if no node is left in it.
    private nonisolated(nonsending) func endEPMD() async throws -> Bool {
        guard local.record?.epmd?.isRunning == true else { return false }
        do throws(EPMDError) {
            return try await EPMDEnd.end(epmd, within: .seconds(2), on: loop) == .ended
        } catch {
            throw CommandFailure("every instance is stopped, and EPMD is not: \(error)")
        }
    }
}

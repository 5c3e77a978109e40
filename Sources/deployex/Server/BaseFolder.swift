internal import Deployment
internal import Supervisor
internal import Transport

/// The base folder, opened and locked. It is made again when somebody has removed it. All of it
/// blocks.
final class BaseFolder: Sendable {
    let anchor: FolderAnchor
    private let folders: TrustedFolders
    private let lock: Guarded<FolderLock>
    /// What commands read in the folder.
    private let record = Guarded<NodeRecord?>(nil)

    /// Makes the folder if it is missing, and locks it.
    init(_ folders: TrustedFolders) throws {
        self.folders = folders
        anchor = FolderAnchor(try folders.openBase(), path: folders.configuration.basePath)
        lock = Guarded(try FolderLock(folder: anchor.path))
    }

    /// Leaves `record` for the commands, also where the folder is made again.
    func keep(_ record: NodeRecord) throws {
        try self.record.withLock { kept in
            kept = record
            try write(record)
        }
    }

    private func write(_ record: NodeRecord) throws {
        try record.write(
            in: folders.configuration.basePath, files: HostFileSystem(below: anchor))
    }

    /// Makes and opens the folder again if nothing, or another folder, is at its path by now. Then
    /// lets the application's user pass through.
    /// - Throws: if the folder is not trusted, or another deployex has locked it.
    func renew(for application: String) throws {
        // One call at a time: a second one would find that we hold the lock already.
        try lock.withLock { lock in
            let opened = try folders.openBase()
            guard !anchor.isSame(as: opened) else { return }
            lock = try FolderLock(folder: anchor.path)
            anchor.move(to: opened)
            try record.withLock { record in try record.map(write) }
        }
        if let refusal = try folders.configuration.reach.apply()[application] { throw refusal }
    }
}

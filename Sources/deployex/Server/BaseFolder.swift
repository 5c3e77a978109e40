internal import Deployment
internal import Supervisor
internal import Transport

/// The base folder, opened and locked, and made anew when somebody has removed it. All of it blocks.
final class BaseFolder: Sendable {
    let anchor: FolderAnchor
    private let folders: TrustedFolders
    private let lock: Guarded<FolderLock>

    /// Makes the folder where it is missing, and takes it.
    init(_ folders: TrustedFolders) throws {
        self.folders = folders
        anchor = FolderAnchor(try folders.openBase(), path: folders.configuration.basePath)
        lock = Guarded(try FolderLock(folder: anchor.path))
    }

    /// Makes and opens the folder again where another one, or none, is at its path by now, and lets an
    /// application's user pass.
    /// - Throws: where it is not believed, or another deployex has it.
    func renew(for application: String) throws {
        let opened = try folders.openBase()
        if !anchor.isSame(as: opened) {
            let taken = try FolderLock(folder: anchor.path)
            lock.withLock { $0 = taken }
            anchor.move(to: opened)
        }
        if let refusal = try folders.configuration.reach.apply()[application] { throw refusal }
    }
}

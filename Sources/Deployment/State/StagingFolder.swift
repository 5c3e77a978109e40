package import Supervisor

/// The folder into which a release is unpacked, such as `service/APP/I/new`, and the temporary
/// folders beside it, such as `new.tmp-1`. The folder with its own name always holds a whole
/// release.
///
/// All of it blocks: callers `offload` it.
package struct StagingFolder: Sendable {
    package let path: String
    private let files: any FileSystem

    /// - Parameter path: the staging folder itself; folders above it are made when needed.
    package init(path: String, files: any FileSystem) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
        self.files = files
    }

    /// Removes the staging folder with its contents.
    package func remove() throws(FileSystemError) {
        // Removing takes many steps. If they are cut short, the rest must not have the folder's
        // name.
        guard let aside = try setAside() else { return }
        try files.removeTree(aside)
    }

    /// Renames the staging folder, in one step. ``cleanLeftovers()`` removes it later.
    /// - Returns: the name that it has now; `nil` when there is nothing.
    @discardableResult
    package func setAside() throws(FileSystemError) -> String? {
        guard try files.status(path) != nil else { return nil }
        let aside = try temporaryPath()
        try files.rename(path, to: aside)
        return aside
    }

    /// Removes the temporary folders that a killed run has left. Call it only when nothing is being
    /// unpacked here: at start.
    /// - Returns: the names of the removed folders, sorted.
    @discardableResult
    package func cleanLeftovers() throws(FileSystemError) -> [String] {
        guard try files.status(parent) != nil else { return [] }
        let prefix = HostFileSystem.name(of: path) + Self.temporarySuffix
        let leftovers = try files.list(parent).filter { $0.hasPrefix(prefix) }
        for leftover in leftovers { try files.removeTree("\(parent)/\(leftover)") }
        return leftovers
    }

    /// A new, empty folder beside the staging folder, which only its owner may enter.
    package func makeTemporary() throws(FileSystemError) -> String {
        try files.makeFolders(parent, mode: 0o700)
        let temporary = try temporaryPath()
        try files.makeFolder(temporary, mode: 0o700)
        return temporary
    }

    /// Gives `temporary` the staging folder's name, durably, and replaces the folder that had it.
    ///
    /// On an error the name is still, or already, that of one whole folder; the other folder has
    /// the name `temporary`. The replaced folder is removed if possible. A failure to remove it is
    /// no error, because the exchange is done; ``cleanLeftovers()`` goes on with it.
    package func put(_ temporary: String) throws(FileSystemError) {
        // Otherwise the name could be on the disk before the folder's contents.
        try files.synchronizeFileSystem(holding: temporary)
        guard try files.status(path) != nil else {
            try files.rename(temporary, to: path)
            return try files.synchronizeFolder(parent)
        }
        // A folder can be renamed to an empty one only.
        try files.exchange(temporary, path)
        try files.synchronizeFolder(parent)
        do throws(FileSystemError) {
            try files.removeTree(temporary)
        } catch {
            if error == .stopped { throw error }
        }
    }

    private static let temporarySuffix = ".tmp-"

    /// An unused path. Counting is enough: only one task at a time works on a staging folder, and
    /// with counted names a run can be reproduced.
    private func temporaryPath() throws(FileSystemError) -> String {
        var number = 1
        while try files.status("\(path)\(Self.temporarySuffix)\(number)") != nil { number += 1 }
        return "\(path)\(Self.temporarySuffix)\(number)"
    }

    private var parent: String { HostFileSystem.folder(of: path) }
}

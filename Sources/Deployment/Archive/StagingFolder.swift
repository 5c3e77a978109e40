internal import Glibc
package import Transport

/// The folder into which a release is unpacked, such as `service/APP/I/new`, and the temporary
/// folders beside it, such as `new.tmp-5f0c9a…`. What has the folder's own name is always whole.
package struct StagingFolder: Equatable, Sendable {
    package let path: String

    /// - Parameter path: the staging folder itself; folders above it are made when needed.
    package init(path: String) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    /// The staging folder of the instance whose folder is `service/APP/I`.
    package init(instanceFolder: String) {
        self.init(path: instanceFolder + "/new")
    }

    /// Removes the staging folder with what is in it.
    package func remove() throws(SystemError) {
        try FolderTree.remove(path)
    }

    /// Removes the temporary folders that a killed run has left. Only to be called when nothing is
    /// being unpacked here: at start.
    /// - Returns: the names of the removed folders.
    @discardableResult
    package func cleanLeftovers() throws(SystemError) -> [String] {
        let folder = FolderTree.cString(parent.utf8)
        var status = stat()
        guard lstat(parent, &status) == 0 || errno != ENOENT else { return [] }
        let prefix = name + Self.temporarySuffix
        var removed: [String] = []
        try FolderTree.names(of: folder, in: AT_FDCWD, shown: parent) {
            (descriptor, names) throws(SystemError) in
            for name in names {
                let text = FolderTree.text(name)
                guard text.hasPrefix(prefix) else { continue }
                try FolderTree.remove(name, in: descriptor, shown: "\(parent)/\(text)")
                removed.append(text)
            }
        }
        return removed.sorted()
    }

    /// A new, empty folder beside the staging folder, which only its owner may enter.
    func makeTemporary() throws(SystemError) -> String {
        try FolderTree.make(parent)
        var attempts = 8
        while true {
            let temporary = temporaryPath()
            if mkdir(temporary, 0o700) == 0 { return temporary }
            attempts -= 1
            guard errno == EEXIST, attempts > 0 else {
                throw .last("making the folder \(temporary)")
            }
        }
    }

    /// Gives `temporary` the staging folder's name, durably, in place of what had it. Its contents
    /// are on the disk already.
    func put(_ temporary: String) throws(SystemError) {
        // A folder can be renamed to an empty one only: what stands there steps aside first, so
        // that it is never seen half removed.
        let aside = temporaryPath()
        let steppedAside = rename(path, aside) == 0
        guard steppedAside || errno == ENOENT else { throw .last("moving \(path) aside") }
        guard rename(temporary, path) == 0 else {
            let error = SystemError.last("renaming \(temporary) to \(path)")
            if steppedAside { _ = rename(aside, path) }
            throw error
        }
        let folder = try Self.open(parent)
        guard fsync(folder.raw) == 0 else { throw .last("writing \(parent) to the disk") }
        if steppedAside { try FolderTree.remove(aside) }
    }

    static func open(_ path: String) throws(SystemError) -> FileDescriptor {
        let raw = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw .last("opening the folder \(path)") }
        return FileDescriptor(owning: raw)
    }

    private static let temporarySuffix = ".tmp-"

    private func temporaryPath() -> String {
        path + Self.temporarySuffix + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    }

    private var parent: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private var name: String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}

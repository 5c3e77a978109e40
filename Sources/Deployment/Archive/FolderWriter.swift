internal import Glibc
internal import Supervisor
internal import Transport

/// Writes admitted members below one folder. It opens everything relative to that folder's
/// descriptor, name by name and without following links. So even an error in the policy could not
/// lead out of the folder.
///
/// Source: openat(2); `O_NOFOLLOW` alone applies only to a path's last name.
struct FolderWriter: ~Copyable {
    private let root: FileDescriptor
    /// The folder of the last member, kept because neighbours in an archive share it.
    private var parentPath = ArchivePath.root
    private var parent: FileDescriptor

    /// - Parameter path: an existing folder. No stranger's link may lead to it.
    init(_ path: String) throws(UnpackFailure) {
        let folder = try converting(
            { UnpackFailure.system(FileSystemError($0)) }, PathTrust().folder(path))
        let root = try Self.openSelf(folder)
        let parent = try Self.openSelf(folder)
        self.root = root
        self.parent = parent
    }

    private static func openSelf(
        _ folder: borrowing FileDescriptor
    ) throws(UnpackFailure) -> FileDescriptor {
        try open(name(".".utf8), in: folder.raw, "opening the new folder")
    }

    /// The folder's descriptor.
    var descriptor: Int32 { root.raw }

    mutating func makeFolder(_ path: ArchivePath, mode: UInt32) throws(UnpackFailure) {
        let folder = try openFolder(path)
        guard fchmod(folder.raw, mode) == 0 else {
            throw .last("setting the mode of `\(path)`")
        }
    }

    /// Makes an empty file. ``append(_:to:path:)`` and ``finish(_:path:mode:modified:)`` do the
    /// rest.
    mutating func makeFile(
        _ path: ArchivePath, replaces: Bool
    ) throws(UnpackFailure) -> FileDescriptor {
        let name = try enterParent(of: path, replaces: replaces)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let raw = openat(parent.raw, name, flags, 0o600)
        guard raw >= 0 else { throw .last("making `\(path)`") }
        return FileDescriptor(owning: raw)
    }

    func append(
        _ bytes: ArraySlice<UInt8>, to file: borrowing FileDescriptor, path: ArchivePath
    ) throws(UnpackFailure) {
        guard file.write(bytes) == bytes.count else { throw .last("writing `\(path)`") }
    }

    /// Sets mode and time. The time is kept because web servers make entity tags from it, which
    /// should be the same at every instance.
    func finish(
        _ file: borrowing FileDescriptor, path: ArchivePath, mode: UInt32, modified: Int64
    ) throws(UnpackFailure) {
        let time = timespec(tv_sec: Int(modified), tv_nsec: 0)
        guard futimens(file.raw, [time, time]) == 0, fchmod(file.raw, mode) == 0 else {
            throw .last("setting the mode and time of `\(path)`")
        }
    }

    mutating func makeSymbolicLink(
        _ path: ArchivePath, target: [UInt8], replaces: Bool
    ) throws(UnpackFailure) {
        let name = try enterParent(of: path, replaces: replaces)
        guard symlinkat(Self.name(target), parent.raw, name) == 0 else {
            throw .last("making the link `\(path)`")
        }
    }

    mutating func makeHardLink(
        _ path: ArchivePath, target: ArchivePath, replaces: Bool
    ) throws(UnpackFailure) {
        let targetFolder = try openFolder(target.parent)
        let name = try enterParent(of: path, replaces: replaces)
        // Without AT_SYMLINK_FOLLOW a link would be linked, not followed.
        let targetName = Self.name(target.names.last ?? [])
        guard linkat(targetFolder.raw, targetName, parent.raw, name, 0) == 0 else {
            throw .last("making the hard link `\(path)`")
        }
    }

    /// Makes `parent` the folder of `path`, and returns the last name of `path`. With `replaces` it
    /// removes the entry of that name.
    private mutating func enterParent(
        of path: ArchivePath, replaces: Bool
    ) throws(UnpackFailure) -> [CChar] {
        let folder = path.parent
        if folder != parentPath {
            parent = try openFolder(folder)
            parentPath = folder
        }
        let name = Self.name(path.names.last ?? [])
        guard !replaces || unlinkat(parent.raw, name, 0) == 0 || errno == ENOENT else {
            throw .last("replacing `\(path)`")
        }
        return name
    }

    /// Opens a folder, and makes it and those above it if they do not exist.
    private func openFolder(_ path: ArchivePath) throws(UnpackFailure) -> FileDescriptor {
        var folder = try Self.openSelf(root)
        for name in path.names {
            let name = Self.name(name)
            let isNew = mkdirat(folder.raw, name, 0o700) == 0
            guard isNew || errno == EEXIST else { throw .last("making the folder `\(path)`") }
            let next = try Self.open(name, in: folder.raw, "opening the folder `\(path)`")
            // fchmod, because the umask would reduce a mode given to mkdirat.
            guard !isNew || fchmod(next.raw, 0o755) == 0 else {
                throw .last("setting the mode of `\(path)`")
            }
            folder = next
        }
        return folder
    }

    private static func open(
        _ name: [CChar], in folder: Int32, _ attempt: String
    ) throws(UnpackFailure) -> FileDescriptor {
        let raw = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw .last(attempt) }
        return FileDescriptor(owning: raw)
    }

    private static func name(_ bytes: some Sequence<UInt8>) -> [CChar] {
        bytes.map { CChar(bitPattern: $0) } + [0]
    }
}

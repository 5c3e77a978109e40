internal import Glibc
internal import Supervisor
internal import Transport

/// Writes admitted members below one folder. Everything is opened relative to that folder's
/// descriptor, name by name and without following links: even a policy that erred could not lead
/// out of it.
///
/// Source: openat(2); `O_NOFOLLOW` alone speaks of a path's last name only.
struct FolderWriter: ~Copyable {
    /// write(2), or what a test puts in its place.
    typealias Write = @Sendable (Int32, UnsafeRawBufferPointer) -> Int

    private let root: FileDescriptor
    private let write: Write
    /// The folder of the last member: an archive's neighbours share it.
    private var parentPath = ArchivePath.root
    private var parent: FileDescriptor

    /// - Parameter path: an existing folder, to which no link of a stranger may lead.
    init(
        _ path: String,
        write: @escaping Write = { Glibc.write($0, $1.baseAddress, $1.count) }
    ) throws(FileSystemError) {
        let root = try Self.openRoot(path)
        let parent = try Self.openRoot(path)
        self.write = write
        self.root = root
        self.parent = parent
    }

    private static func openRoot(_ path: String) throws(FileSystemError) -> FileDescriptor {
        let folder = try FileSystemError.trusting { () throws(PathTrustError) in
            try PathTrust().folder(path)
        }
        do throws(SystemError) {
            return try open(name(".".utf8), in: folder.raw, "opening the new folder")
        } catch {
            throw .system(error)
        }
    }

    /// The folder's descriptor.
    var descriptor: Int32 { root.raw }

    mutating func makeFolder(_ path: ArchivePath, mode: UInt32) throws(SystemError) {
        let folder = try openFolder(path)
        guard fchmod(folder.raw, mode) == 0 else {
            throw .last("setting the mode of `\(path)`")
        }
    }

    /// Makes an empty file; ``append(_:to:path:)`` and ``finish(_:path:mode:modified:)`` do the rest.
    mutating func makeFile(
        _ path: ArchivePath, replaces: Bool
    ) throws(SystemError) -> FileDescriptor {
        let name = try enterParent(of: path)
        if replaces { try remove(name, path) }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let raw = openat(parent.raw, name, flags, 0o600)
        guard raw >= 0 else { throw .last("making `\(path)`") }
        return FileDescriptor(owning: raw)
    }

    func append(
        _ bytes: ArraySlice<UInt8>, to file: borrowing FileDescriptor, path: ArchivePath
    ) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(file.raw, .init(rebasing: $0[written...])) }
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                throw count == 0
                    ? SystemError("writing `\(path)`", code: EIO) : .last("writing `\(path)`")
            }
        }
    }

    /// Sets mode and time. The time is kept because web servers make entity tags from it, which
    /// should be the same at every instance.
    func finish(
        _ file: borrowing FileDescriptor, path: ArchivePath, mode: UInt32, modified: Int64
    ) throws(SystemError) {
        let time = timespec(tv_sec: Int(modified), tv_nsec: 0)
        guard futimens(file.raw, [time, time]) == 0, fchmod(file.raw, mode) == 0 else {
            throw .last("setting the mode and time of `\(path)`")
        }
    }

    mutating func makeSymbolicLink(
        _ path: ArchivePath, target: [UInt8], replaces: Bool
    ) throws(SystemError) {
        let name = try enterParent(of: path)
        if replaces { try remove(name, path) }
        guard symlinkat(Self.name(target), parent.raw, name) == 0 else {
            throw .last("making the link `\(path)`")
        }
    }

    mutating func makeHardLink(
        _ path: ArchivePath, target: ArchivePath, replaces: Bool
    ) throws(SystemError) {
        let targetFolder = try openFolder(target.parent)
        let name = try enterParent(of: path)
        if replaces { try remove(name, path) }
        // Without AT_SYMLINK_FOLLOW a link would be linked, not followed.
        let targetName = Self.name(target.names.last ?? [])
        guard linkat(targetFolder.raw, targetName, parent.raw, name, 0) == 0 else {
            throw .last("making the hard link `\(path)`")
        }
    }

    private func remove(_ name: [CChar], _ path: ArchivePath) throws(SystemError) {
        guard unlinkat(parent.raw, name, 0) == 0 || errno == ENOENT else {
            throw .last("replacing `\(path)`")
        }
    }

    /// Makes `parent` the folder of `path`, and returns the last name of `path`.
    private mutating func enterParent(of path: ArchivePath) throws(SystemError) -> [CChar] {
        let folder = path.parent
        if folder != parentPath {
            parent = try openFolder(folder)
            parentPath = folder
        }
        return Self.name(path.names.last ?? [])
    }

    /// Opens a folder, making it and those above it where they do not exist.
    private func openFolder(_ path: ArchivePath) throws(SystemError) -> FileDescriptor {
        var folder = try Self.open(Self.name(".".utf8), in: root.raw, "opening the new folder")
        for name in path.names {
            let name = Self.name(name)
            let isNew = mkdirat(folder.raw, name, 0o700) == 0
            guard isNew || errno == EEXIST else { throw .last("making the folder `\(path)`") }
            let next = try Self.open(name, in: folder.raw, "opening the folder `\(path)`")
            // fchmod, as the umask would take from a mode given to mkdirat.
            guard !isNew || fchmod(next.raw, 0o755) == 0 else {
                throw .last("setting the mode of `\(path)`")
            }
            folder = next
        }
        return folder
    }

    private static func open(
        _ name: [CChar], in folder: Int32, _ attempt: String
    ) throws(SystemError) -> FileDescriptor {
        let raw = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw .last(attempt) }
        return FileDescriptor(owning: raw)
    }

    private static func name(_ bytes: some Sequence<UInt8>) -> [CChar] {
        bytes.map { CChar(bitPattern: $0) } + [0]
    }
}

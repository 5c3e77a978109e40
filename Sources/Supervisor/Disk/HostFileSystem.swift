internal import CLinux
internal import Glibc
package import Transport

/// The host's own file system. Every call blocks.
///
/// With an anchor, paths inside of it are walked from there by descriptors, so that an untrusted
/// user's link cannot divert a call. The kernel walks all other paths.
package struct HostFileSystem: FileSystem {
    private let anchor: FolderAnchor?

    package init() { anchor = nil }

    package init(below anchor: FolderAnchor) { self.anchor = anchor }

    package func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        let attempt = "reading \(path)"
        return try Self.content(
            of: openedFile(path, O_RDONLY | O_NOCTTY, attempt), path, limit: limit, attempt)
    }

    /// The content of `file`, which was opened by the name `path`.
    static func content(
        of file: borrowing FileDescriptor, _ path: String, limit: Int, _ attempt: String
    ) throws(FileSystemError) -> [UInt8] {
        guard
            let bytes = try converting(
                FileSystemError.system, file.readAll(limit: limit, attempt))
        else { throw .tooLarge(path: path, limit: limit) }
        return bytes
    }

    package func isSame(_ first: String, _ second: String) throws(FileSystemError) -> Bool {
        let attempt = "comparing \(first) with \(second)"
        return try Self.isSame(
            openedFile(first, O_RDONLY | O_NOCTTY, attempt),
            openedFile(second, O_RDONLY | O_NOCTTY, attempt), attempt)
    }

    /// Whether the rest of both files is the same.
    static func isSame(
        _ first: borrowing FileDescriptor, _ second: borrowing FileDescriptor, _ attempt: String
    ) throws(FileSystemError) -> Bool {
        // A read from a file is short at its end only.
        var one = [UInt8](repeating: 0, count: 256 << 10)
        var other = one
        while true {
            let count = try converting(FileSystemError.system, first.read(into: &one, attempt))
            let otherCount = try converting(
                FileSystemError.system, second.read(into: &other, attempt))
            guard count == otherCount, one[..<count] == other[..<count] else { return false }
            if count == 0 { return true }
        }
    }

    package func sha256(_ path: String) throws(FileSystemError) -> [UInt8] {
        let attempt = "reading \(path)"
        return try Self.sha256(openedFile(path, O_RDONLY | O_NOCTTY, attempt), attempt)
    }

    /// The SHA-256 of the rest of a file.
    static func sha256(
        _ file: borrowing FileDescriptor, _ attempt: String
    ) throws(FileSystemError) -> [UInt8] {
        var digest = Digest(.sha256)
        var bytes = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = try converting(FileSystemError.system, file.read(into: &bytes, attempt))
            guard count > 0 else { return digest.value() }
            bytes[..<count].withUnsafeBytes { digest.update($0) }
        }
    }

    package func createFile(
        _ path: String, mode: UInt32
    ) throws(FileSystemError) -> any NewFile {
        try createHostFile(path, mode: mode)
    }

    func createHostFile(_ path: String, mode: UInt32) throws(FileSystemError) -> HostNewFile {
        let descriptor = try opened(
            path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode, "making \(path)")
        // Sets the requested mode, whatever the umask.
        guard fchmod(descriptor.raw, mode) == 0 else { throw .last("making \(path)") }
        return HostNewFile(path: path, descriptor: descriptor)
    }

    package func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        let descriptor = try openedFile(path, O_WRONLY | O_NOFOLLOW, "opening \(path)")
        let file = HostNewFile(path: path, descriptor: descriptor)
        try file.write(bytes[...])
        try file.finish()
    }

    package func rename(_ source: String, to destination: String) throws(FileSystemError) {
        let old = try place(source)
        let new = try place(destination)
        try check(
            renameat(old.raw, old.name, new.raw, new.name),
            "renaming \(source) to \(destination)")
    }

    package func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        let one = try place(first)
        let other = try place(second)
        try check(
            clinux_rename_exchange_at(one.raw, one.name, other.raw, other.name),
            "exchanging \(first) and \(second)")
    }

    package func synchronizeFolder(_ path: String) throws(FileSystemError) {
        let attempt = "making \(path) durable"
        let descriptor = try opened(path, O_RDONLY | O_DIRECTORY, attempt)
        try check(fsync(descriptor.raw), attempt)
    }

    package func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        let attempt = "making \(path) durable"
        // Something else may stand there now, such as a pipe; it must not keep us waiting.
        let descriptor = try opened(path, O_RDONLY | O_DIRECTORY, attempt)
        try check(clinux_syncfs(descriptor.raw), attempt)
    }

    package func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        let attempt = "making the folder \(path)"
        let place = try place(path)
        guard mkdirat(place.raw, place.name, mode) != 0 else {
            // Sets the requested mode, whatever the umask. This does not use the name, which may be
            // another folder's by now.
            let folder = try FileDescriptor.opening(
                place.name, in: place.raw, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, attempt)
            return try check(fchmod(folder.raw, mode), attempt)
        }
        let error = FileSystemError.last(attempt)
        guard error.code == EEXIST else { throw error }
        // A link to a folder counts as a folder, too: /var/log may be a link.
        do throws(FileSystemError) {
            _ = try opened(path, O_RDONLY | O_DIRECTORY, attempt)
        } catch {
            throw .system(SystemError(attempt, code: EEXIST))
        }
    }

    package func removeFile(_ path: String) throws(FileSystemError) {
        do throws(FileSystemError) {
            let place = try place(path)
            try check(unlinkat(place.raw, place.name, 0), "removing \(path)")
        } catch {
            guard error.isNotFound else { throw error }
        }
    }

    package func removeTree(_ path: String) throws(FileSystemError) {
        guard let anchor, anchor.holds(path) else { return try TreeRemoval.remove(path) }
        do throws(FileSystemError) {
            let place = try place(path)
            try TreeRemoval.remove(place.name, in: place.raw, path: path)
        } catch {
            guard error.isNotFound else { throw error }
        }
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        let folder = try opened(path, O_RDONLY | O_DIRECTORY, "listing \(path)")
        return try FolderEntries.texts(of: ".", in: folder.raw)
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus? {
        var status = stat()
        do throws(FileSystemError) {
            let place = try place(path)
            try check(
                fstatat(place.raw, place.name, &status, AT_SYMLINK_NOFOLLOW),
                "looking at \(path)")
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error
        }
        let kind: FileStatus.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFLNK: .symbolicLink
            default: .other
            }
        return FileStatus(
            kind: kind, byteCount: Int64(status.st_size), mode: status.st_mode & 0o7777,
            owner: status.st_uid,
            changedAt: Int64(status.st_mtim.tv_sec) * 1_000_000_000
                + Int64(status.st_mtim.tv_nsec))
    }

    package func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        let attempt = "copying \(source) to \(destination)"
        let input = try openedFile(source, O_RDONLY | O_NOCTTY, attempt)
        try Self.copy(input, to: createFile(destination, mode: mode), attempt)
    }

    /// Copies the rest of `input`.
    static func copy(
        _ input: borrowing FileDescriptor, to output: any NewFile, _ attempt: String
    ) throws(FileSystemError) {
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = try converting(
                FileSystemError.system, input.read(into: &chunk, attempt))
            if count == 0 { break }
            try output.write(chunk[..<count])
        }
    }

    private func check(_ result: Int32, _ attempt: String) throws(FileSystemError) {
        guard result == 0 else { throw .last(attempt) }
    }

    // MARK: Places

    /// A name and the folder that it is looked up in, for calls like openat(2).
    private struct Place: ~Copyable {
        private let entry: FolderAnchor.Entry?
        let name: String
        var raw: Int32 {
            switch entry {
            case .some(let entry): entry.folder.raw
            case nil: AT_FDCWD
            }
        }

        init(path: String) {
            entry = nil
            name = path
        }

        init(_ entry: consuming FolderAnchor.Entry) {
            name = entry.name
            self.entry = consume entry
        }
    }

    private func place(_ path: String) throws(FileSystemError) -> Place {
        guard let anchor, anchor.holds(path) else { return Place(path: path) }
        return Place(try FileSystemError.trusting(anchor.entry(path)))
    }

    /// Opens a regular file, or a folder, for reading. Others may write to its folder, and opening
    /// a pipe there would wait for the pipe's other side.
    private func openedFile(
        _ path: String, _ flags: Int32, _ attempt: String
    ) throws(FileSystemError) -> FileDescriptor {
        let file = try opened(path, flags | O_NONBLOCK, attempt)
        var status = stat()
        try check(fstat(file.raw, &status), attempt)
        switch status.st_mode & S_IFMT {
        // Reading a folder fails with an error that says that it is one.
        case S_IFREG, S_IFDIR: return file
        default:
            throw .system(SystemError("\(attempt), which is no regular file", code: EINVAL))
        }
    }

    /// Below the anchor, a link at the end of a path is followed only if it belongs to a trusted
    /// user, and never with O_NOFOLLOW.
    private func opened(
        _ path: String, _ flags: Int32, mode: UInt32 = 0, _ attempt: String
    ) throws(FileSystemError) -> FileDescriptor {
        if let anchor, path == anchor.path {
            return try FileSystemError.trusting(anchor.reopened())
        }
        guard let anchor, anchor.holds(path) else {
            return try FileDescriptor.opening(path, flags, mode: mode, attempt)
        }
        let place = try place(path)
        do throws(FileSystemError) {
            return try FileDescriptor.opening(
                place.name, in: place.raw, flags | O_NOFOLLOW, mode: mode, attempt)
        } catch {
            // With O_DIRECTORY a link fails as "not a folder".
            guard flags & O_NOFOLLOW == 0, error.code == ELOOP || error.code == ENOTDIR else {
                throw error
            }
        }
        let target = try FileSystemError.trusting(anchor.target(path))
        return try FileDescriptor.opening(
            target.name, in: target.folder.raw, flags | O_NOFOLLOW, mode: mode, attempt)
    }
}

/// A file of the host's file system that is written from its first byte on.
final class HostNewFile: NewFile {
    private let path: String
    private var descriptor: FileDescriptor?

    init(path: String, descriptor: consuming FileDescriptor) {
        self.path = path
        self.descriptor = consume descriptor
    }

    /// Whether the file system could free a part of the file again. It finds out by trying: what is
    /// in the file is lost.
    func canBeFreed(byteCount: Int64) throws(FileSystemError) -> Bool {
        guard let raw = descriptor?.raw else {
            preconditionFailure("A finished file is not changed")
        }
        guard clinux_punch_hole(raw, 0, byteCount) != 0 else { return true }
        let code = clinux_errno()
        guard code == EOPNOTSUPP || code == ENOSYS || code == ENODEV else {
            throw .last("trying \(path)")
        }
        return false
    }

    func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        guard let count = descriptor?.write(bytes) else {
            preconditionFailure("A finished file is not written to")
        }
        guard count == bytes.count else { throw .last("writing \(path)") }
    }

    func finish() throws(FileSystemError) {
        guard let raw = descriptor?.raw else { preconditionFailure("A file is finished once") }
        defer { descriptor = nil }
        guard fsync(raw) == 0 else { throw .last("making \(path) durable") }
    }
}

extension FileSystemError {
    /// The error of the system call that has just failed on this thread.
    static func last(_ attempt: String) -> FileSystemError {
        .system(.last(attempt))
    }

    /// A refusal by the system itself becomes an error of the system.
    package init(_ error: PathTrustError) {
        if case .system(let reason) = error.reason {
            self = .system(reason)
        } else {
            self = .untrusted(error)
        }
    }

    /// What `value` is. A refused path becomes an error of the file system.
    package static func trusting<Value: ~Copyable>(
        _ value: @autoclosure () throws(PathTrustError) -> Value
    ) throws(FileSystemError) -> Value {
        try converting(FileSystemError.init, value())
    }
}

extension FileDescriptor {
    /// Opens `name` in the folder `folder`, close-on-exec. A new file gets `mode`.
    static func opening(
        _ name: String, in folder: Int32 = AT_FDCWD, _ flags: Int32, mode: UInt32 = 0,
        _ attempt: String
    ) throws(FileSystemError) -> FileDescriptor {
        let raw = openat(folder, name, flags | O_CLOEXEC, mode)
        guard raw >= 0 else { throw .last(attempt) }
        return FileDescriptor(owning: raw)
    }
}

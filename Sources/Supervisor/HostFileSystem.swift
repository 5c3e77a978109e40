internal import CLinux
internal import Glibc
internal import Transport

/// The host's own file system. Every call blocks.
package struct HostFileSystem: FileSystem {
    package init() {}

    package func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        let attempt = "reading \(path)"
        let descriptor = try Self.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, attempt)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor.raw, &chunk, chunk.count)
            if count < 0, clinux_errno() == EINTR { continue }
            guard count >= 0 else { throw .last(attempt) }
            guard count > 0 else { return bytes }
            guard count <= limit - bytes.count else { throw .tooLarge(path: path, limit: limit) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    package func createFile(
        _ path: String, mode: UInt32
    ) throws(FileSystemError) -> any NewFile {
        let descriptor = try Self.open(
            path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode: mode,
            "making \(path)")
        // The mode that was asked for, whatever the umask.
        guard fchmod(descriptor.raw, mode) == 0 else { throw .last("making \(path)") }
        return HostNewFile(path: path, descriptor: descriptor)
    }

    package func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        let descriptor = try Self.open(
            path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC, "opening \(path)")
        let file = HostNewFile(path: path, descriptor: descriptor)
        try file.write(bytes[...])
        try file.finish()
    }

    package func createSymbolicLink(
        _ path: String, to target: String
    ) throws(FileSystemError) {
        try check(symlink(target, path), "making the link \(path)")
    }

    package func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try check(Glibc.rename(source, destination), "renaming \(source) to \(destination)")
    }

    package func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        try check(
            clinux_rename_exchange(first, second), "exchanging \(first) and \(second)")
    }

    package func synchronizeFolder(_ path: String) throws(FileSystemError) {
        let attempt = "making \(path) durable"
        let descriptor = try Self.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, attempt)
        try check(fsync(descriptor.raw), attempt)
    }

    package func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        let attempt = "making \(path) durable"
        let descriptor = try Self.open(path, O_RDONLY | O_CLOEXEC, attempt)
        try check(clinux_syncfs(descriptor.raw), attempt)
    }

    package func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        let attempt = "making the folder \(path)"
        guard mkdir(path, mode) != 0 else {
            return try check(chmod(path, mode), attempt)
        }
        let error = FileSystemError.last(attempt)
        // A link to a folder is one, too: /var/log may be a link.
        guard error.code == EEXIST, let folder = opendir(path) else { throw error }
        closedir(folder)
    }

    package func removeFile(_ path: String) throws(FileSystemError) {
        guard unlink(path) != 0, clinux_errno() != ENOENT else { return }
        throw .last("removing \(path)")
    }

    package func removeTree(_ path: String) throws(FileSystemError) {
        try TreeRemoval.remove(path)
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        try FolderEntries.texts(of: path, in: AT_FDCWD)
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let error = FileSystemError.last("looking at \(path)")
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
            owner: status.st_uid)
    }

    package func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        let attempt = "copying \(source) to \(destination)"
        let input = try Self.open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY, attempt)
        let output = try createFile(destination, mode: mode)
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = Glibc.read(input.raw, &chunk, chunk.count)
            if count < 0, clinux_errno() == EINTR { continue }
            guard count >= 0 else { throw .last(attempt) }
            if count == 0 { break }
            try output.write(chunk[..<count])
        }
        try output.finish()
    }

    package func availableByteCount(_ path: String) throws(FileSystemError) -> UInt64 {
        var status = statvfs()
        try check(statvfs(path, &status), "asking for the space at \(path)")
        let (product, overflow) = UInt64(status.f_bavail)
            .multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : product
    }

    private func check(_ result: Int32, _ attempt: String) throws(FileSystemError) {
        guard result == 0 else { throw .last(attempt) }
    }

    private static func open(
        _ path: String, _ flags: Int32, mode: UInt32 = 0, _ attempt: String
    ) throws(FileSystemError) -> FileDescriptor {
        let raw = clinux_open(path, flags, mode)
        guard raw >= 0 else { throw .last(attempt) }
        return FileDescriptor(owning: raw)
    }
}

/// A file of the host's file system that is written from its first byte on.
final class HostNewFile: NewFile {
    private let path: String
    private let raw: Int32
    private var descriptor: FileDescriptor?

    init(path: String, descriptor: consuming FileDescriptor) {
        self.path = path
        raw = descriptor.raw
        self.descriptor = consume descriptor
    }

    private var isFinished: Bool { descriptor == nil }

    func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        precondition(!isFinished, "A finished file is not written to")
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0, clinux_errno() == EINTR { continue }
            // A disk that becomes full gives a short count first and then the error.
            guard count > 0 else { throw .last("writing \(path)") }
            rest = rest.dropFirst(count)
        }
    }

    func finish() throws(FileSystemError) {
        precondition(!isFinished, "A file is finished once")
        defer { descriptor = nil }
        guard fsync(raw) == 0 else { throw .last("making \(path) durable") }
    }
}

extension FileSystemError {
    /// The error of the system call that has just failed on this thread.
    static func last(_ attempt: String) -> FileSystemError {
        .system(.last(attempt))
    }
}

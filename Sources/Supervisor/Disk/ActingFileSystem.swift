internal import CLinux
internal import Glibc
package import Transport

extension ProcessUser {
    /// Does `action` with this user's rights to files instead of ours. `action` may read, enter and
    /// write only what the user may, and what it makes belongs to the user. Only root can do this.
    ///
    /// Other threads are not affected. `action` starts no thread, since a new thread begins with
    /// the rights of the thread that starts it. It waits for nothing but files.
    package func acting<Result: ~Copyable>(
        _ action: @autoclosure () throws(FileSystemError) -> Result
    ) throws(FileSystemError) -> Result {
        let before = Self.ownGroups()
        defer {
            // A thread that kept a user's rights would be useless to its next holder. It is allowed
            // to take its own rights back; only memory for the groups can be missing, for a moment
            // (setgroups(2), ENOMEM).
            while clinux_act_as(geteuid(), getegid(), before, before.count) != 0 { usleep(1000) }
        }
        guard clinux_act_as(id, group, groups, groups.count) == 0 else {
            throw .last("acting as \(name)")
        }
        return try action()
    }

    private static func ownGroups() -> [gid_t] {
        let count = getgroups(0, nil)
        guard count > 0 else { return [] }
        var groups = [gid_t](repeating: 0, count: Int(count))
        return Array(groups.prefix(Int(getgroups(count, &groups))))
    }
}

/// The host's file system, of which one part belongs to a user. In that part everything is done
/// with the user's rights. So a link to a file of ours, for example, lets the user do nothing that
/// it could not do anyway.
package struct ActingFileSystem: FileSystem {
    private let base: HostFileSystem
    private let user: ProcessUser
    private let sources: TrustedUsers
    private let isUsers: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - sources: whose files may be copied, besides the user's own.
    ///   - isUsers: whether a path leads into the user's part, judged by the path as given.
    package init(
        as user: ProcessUser, base: HostFileSystem = HostFileSystem(),
        sources: TrustedUsers = TrustedUsers(),
        isUsers: @escaping @Sendable (String) -> Bool
    ) {
        self.base = base
        self.user = user
        self.sources = sources
        self.isUsers = isUsers
    }

    /// Does `action` as whoever owns the place of `path`.
    private func at<Result>(
        _ path: String, _ action: @autoclosure () throws(FileSystemError) -> Result
    ) throws(FileSystemError) -> Result {
        isUsers(path) ? try user.acting(action()) : try action()
    }

    package func read(_ path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        guard isUsers(path) else { return try base.read(path, limit: limit) }
        let attempt = "reading \(path)"
        return try HostFileSystem.content(
            of: open(path, attempt), path, limit: limit, attempt)
    }

    package func isSame(_ first: String, _ second: String) throws(FileSystemError) -> Bool {
        let attempt = "comparing \(first) with \(second)"
        return try HostFileSystem.isSame(open(first, attempt), open(second, attempt), attempt)
    }

    package func sha256(_ path: String) throws(FileSystemError) -> [UInt8] {
        let attempt = "reading \(path)"
        return try HostFileSystem.sha256(open(path, attempt), attempt)
    }

    /// Opens a file for reading.
    ///
    /// A file outside of the user's part is opened as ``PathTrust`` does: its owner could put a
    /// link to a file of ours in its place, and the user would read that in the copy. In the user's
    /// part, two things count as absent: what is not a regular file (a pipe would keep its reader
    /// waiting), and what the user may not read. One application's user must not stop the process
    /// that looks after the others too.
    private func open(
        _ path: String, _ attempt: String
    ) throws(FileSystemError) -> FileDescriptor {
        guard isUsers(path) else {
            return try FileSystemError.trusting(PathTrust(users: sources).file(path))
        }
        let flags = O_RDONLY | O_NOCTTY | O_NONBLOCK
        let file = try orAbsent(
            path, attempt, user.acting(FileDescriptor.opening(path, flags, attempt)))
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .last(attempt) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .system(SystemError(attempt, code: ENOENT))
        }
        return file
    }

    /// What `value` is. In the user's part, what the user may not reach counts as absent.
    private func orAbsent<Value: ~Copyable>(
        _ path: String, _ attempt: String, _ value: @autoclosure () throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        do throws(FileSystemError) {
            return try value()
        } catch {
            // ENOTCONN: a file system of the user's own (FUSE) whose server has ended.
            let asIfAbsent = [EACCES, EPERM, ELOOP, ENOTDIR, EISDIR, ENXIO, ENODEV, ENOTCONN]
            guard isUsers(path), let code = error.code, asIfAbsent.contains(code) else {
                throw error
            }
            throw .system(SystemError(attempt, code: ENOENT))
        }
    }

    package func createFile(
        _ path: String, mode: UInt32
    ) throws(FileSystemError) -> any NewFile {
        try at(path, base.createFile(path, mode: mode))
    }

    package func overwriteFile(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        try at(path, base.overwriteFile(path, with: bytes))
    }

    package func rename(_ source: String, to destination: String) throws(FileSystemError) {
        try at(destination, base.rename(source, to: destination))
    }

    package func exchange(_ first: String, _ second: String) throws(FileSystemError) {
        try at(first, base.exchange(first, second))
    }

    package func synchronizeFolder(_ path: String) throws(FileSystemError) {
        try at(path, base.synchronizeFolder(path))
    }

    package func synchronizeFileSystem(holding path: String) throws(FileSystemError) {
        try at(path, base.synchronizeFileSystem(holding: path))
    }

    package func makeFolder(_ path: String, mode: UInt32) throws(FileSystemError) {
        try at(path, base.makeFolder(path, mode: mode))
    }

    package func removeFile(_ path: String) throws(FileSystemError) {
        try at(path, base.removeFile(path))
    }

    package func removeTree(_ path: String) throws(FileSystemError) {
        try at(path, base.removeTree(path))
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        try orAbsent(path, "listing \(path)", at(path, base.list(path)))
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus? {
        do throws(FileSystemError) {
            return try orAbsent(path, "looking at \(path)", at(path, base.status(path)))
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// Opens the source with the rights of whoever owns its place, and makes the copy with those of
    /// the owner of `destination`'s place. So a package that the user may not read comes into the
    /// user's folder, and nothing else of ours does.
    package func copyFile(
        _ source: String, to destination: String, mode: UInt32
    ) throws(FileSystemError) {
        let attempt = "copying \(source) to \(destination)"
        let input = try open(source, attempt)
        try HostFileSystem.copy(input, to: createFile(destination, mode: mode), attempt)
    }
}

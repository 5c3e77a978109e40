internal import CLinux
internal import Glibc
package import Transport

/// Owners and permissions of deployex's folders and of what deployex gives to others. It blocks.
package enum FolderAccess {
    /// Lets others and a group pass through a folder that is ours, or stops them. A missing folder
    /// is not an error. A link, or somebody else's folder, is left as it is.
    /// - Parameters:
    ///   - mode: the folder's whole mode afterwards.
    ///   - group: its group afterwards; `nil` leaves it.
    package static func set(
        _ path: String, mode: UInt32, group: UInt32? = nil
    ) throws(FileSystemError) {
        let attempt = "setting the permissions of \(path)"
        let folder: FileDescriptor
        do throws(FileSystemError) {
            folder = try .opening(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, attempt)
        } catch {
            if error.code == ENOENT || error.code == ELOOP || error.code == ENOTDIR { return }
            throw error
        }
        try change(folder, group, attempt) { _ in mode }
    }

    private static func change(
        _ folder: borrowing FileDescriptor, _ group: UInt32?, _ attempt: String,
        _ newMode: (UInt32) -> UInt32
    ) throws(FileSystemError) {
        var status = stat()
        guard fstat(folder.raw, &status) == 0 else { throw .last(attempt) }
        guard status.st_uid == geteuid() else { return }
        if let group, status.st_gid != group, fchown(folder.raw, status.st_uid, group) != 0 {
            throw .last(attempt)
        }
        let mode = newMode(status.st_mode & 0o7777)
        guard status.st_mode & 0o7777 == mode || fchmod(folder.raw, mode) == 0 else {
            throw .last(attempt)
        }
    }

    // MARK: In an opened folder

    /// Adds permissions to a folder that is ours. Errors name it by `path`.
    /// - Parameter folder: opened with O_PATH or for reading.
    static func add(
        _ folder: borrowing FileDescriptor, mode: UInt32, path: String
    ) throws(FileSystemError) {
        let attempt = "setting the permissions of \(path)"
        let opened = try FileDescriptor.opening(
            ".", in: folder.raw, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, attempt)
        try change(opened, nil, attempt) { $0 | mode }
    }

    /// Makes the folder `name` in an opened one and gives it to a user. An existing folder is given
    /// if it is ours and empty, which is how an interrupted call leaves it. Any other is left as it
    /// is.
    static func give(
        _ name: String, in folder: borrowing FileDescriptor, mode: UInt32, to user: ProcessUser,
        path: String
    ) throws(FileSystemError) {
        let attempt = "making the folder \(path)"
        guard mkdirat(folder.raw, name, 0o700) == 0 || clinux_errno() == EEXIST else {
            throw .last(attempt)
        }
        let made = try FileDescriptor.opening(
            name, in: folder.raw, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, attempt)
        var status = stat()
        guard fstat(made.raw, &status) == 0 else { throw .last(attempt) }
        guard status.st_uid == geteuid(),
            try FolderEntries.texts(of: ".", in: made.raw).isEmpty
        else { return }
        guard fchmod(made.raw, mode) == 0, fchown(made.raw, user.id, user.group) == 0 else {
            throw .last(attempt)
        }
    }

    /// What keeps a user from reaching `path`: the first folder on the way that the user cannot
    /// reach. `nil` when nothing does.
    package static func obstacle(
        for user: ProcessUser, on path: String
    ) -> FileSystemError? {
        var folder = ""
        for name in path.split(separator: "/") {
            let parent = folder.isEmpty ? "/" : folder
            folder += "/" + name
            let place = folder
            let attempt =
                "reaching \(place) as \(user.name) (`chmod o+x \(parent)` helps)"
            do throws(FileSystemError) {
                // O_PATH needs only the right to reach the folder.
                _ = try user.acting(FileDescriptor.opening(place, clinux_o_path, attempt))
            } catch {
                return error
            }
        }
        return nil
    }
}

/// Gives a tree of files that is ours alone to somebody else. It never follows a link. It blocks.
///
/// The content of a folder is given before the folder itself. So while we work in a folder, the
/// user cannot write to it, and cannot put anything there that the user should not get.
package enum TreeOwnership {
    private static let maximumDepth = 200

    /// Gives everything at `path` to the user, with its present modes. A folder that already
    /// belongs to the user is skipped with its content, so an interrupted call can be repeated.
    package static func give(_ path: String, to user: ProcessUser) throws(FileSystemError) {
        try visit(Array(path.utf8CString), path: path) {
            (folder, name, status, attempt) throws(FileSystemError) in
            guard status.st_uid != user.id || status.st_gid != user.group else { return }
            guard clinux_change_owner(folder, name, user.id, user.group) == 0 else {
                throw .last(attempt)
            }
        } isDone: {
            $0.st_uid == user.id
        }
    }

    /// Everything at `path` stays ours. The user's group may read, enter and run whatever we may.
    package static func show(_ path: String, to user: ProcessUser) throws(FileSystemError) {
        try visit(Array(path.utf8CString), path: path) {
            (folder, name, status, attempt) throws(FileSystemError) in
            guard
                status.st_gid == user.group
                    || clinux_change_owner(folder, name, status.st_uid, user.group) == 0
            else { throw .last(attempt) }
            guard status.st_mode & S_IFMT != S_IFLNK else { return }
            let mode = status.st_mode & 0o777 | (status.st_mode & 0o500) >> 3
            guard mode == status.st_mode & 0o7777 || fchmodat(folder, name, mode, 0) == 0 else {
                throw .last(attempt)
            }
        } isDone: { _ in
            false
        }
    }

    private typealias Visit = (Int32, [CChar], stat, String) throws(FileSystemError) -> Void

    private static func visit(
        _ name: [CChar], in folder: Int32 = AT_FDCWD, path: String, depth: Int = 0, _ body: Visit,
        isDone: (stat) -> Bool
    ) throws(FileSystemError) {
        let attempt = "giving \(path) away"
        guard depth < maximumDepth else { throw .tooDeep(path: path) }
        var status = stat()
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw .last(attempt)
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            if isDone(status) { return }
            let opened = try OpenedFolder(name, in: folder, attempt)
            for entry in try opened.names(attempt) {
                try visit(
                    entry, in: opened.descriptor, path: "\(path)/\(FolderEntries.text(entry))",
                    depth: depth + 1, body, isDone: isDone)
            }
        }
        try body(folder, name, status, attempt)
    }
}

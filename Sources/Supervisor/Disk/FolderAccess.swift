internal import CLinux
internal import Glibc
package import Transport

/// Owners and permissions of deployex's folders and of what it gives to others. It blocks.
package enum FolderAccess {
    /// Makes a folder that is ours passable, or not, for others and for a group. One that is not there
    /// is no error; one that is somebody else's, or a link, is left as it is.
    /// - Parameters:
    ///   - mode: all that it has then.
    ///   - group: as it is where it is `nil`.
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

    /// Adds to the permissions of a folder that is ours; `path` is its name in errors.
    /// - Parameter folder: opened with O_PATH or for reading.
    static func add(
        _ folder: borrowing FileDescriptor, mode: UInt32, path: String
    ) throws(FileSystemError) {
        let attempt = "setting the permissions of \(path)"
        let opened = try FileDescriptor.opening(
            ".", in: folder.raw, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, attempt)
        try change(opened, nil, attempt) { $0 | mode }
    }

    /// Makes the folder `name` in an opened one and gives it to a user. One that is there is given if it is
    /// ours and empty, as when we were cut off; any other is left as it is.
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

    /// What keeps a user from coming to `path`: the first folder on the way that it may not pass through.
    /// `nil` when nothing does.
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
                // O_PATH takes the right to come there and no other.
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
/// What is in a folder is given before the folder itself is: as long as the user may not write to the
/// folder, nothing can be put there that is not the user's to have.
package enum TreeOwnership {
    private static let maximumDepth = 200

    /// Everything at `path` becomes the user's, with the modes that it has. What is the user's already
    /// is left with what is in it, so that one that was cut off can be repeated.
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

    /// Everything at `path` stays ours, and the user's group may read, enter and run of it what we may.
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

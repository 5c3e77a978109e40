internal import CLinux
internal import Glibc
internal import Transport

/// Removes a tree of files without ever following a symbolic link, not even one that takes a
/// folder's place meanwhile: each folder is opened relative to its opened parent, with O_NOFOLLOW.
enum TreeRemoval {
    /// Each level holds one descriptor.
    private static let maximumDepth = 200

    static func remove(_ path: String) throws(FileSystemError) {
        let (parent, name) = split(path)
        guard !name.isEmpty, name != ".", name != ".." else {
            throw .system(SystemError("removing \(path)", code: EINVAL))
        }
        let raw = clinux_open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard raw >= 0 else { return try throwUnlessGone("removing \(path)") }
        let folder = FileDescriptor(owning: raw)
        try remove(name, in: folder.raw, path: path)
    }

    /// Removes `name` in an opened folder; `path` stands in errors.
    static func remove(
        _ name: String, in folder: Int32, path: String
    ) throws(FileSystemError) {
        try remove(Array(name.utf8CString), in: folder, path: path, depth: 0)
    }

    private static func split(_ path: String) -> (parent: String, name: String) {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        return (parent, String(path[path.index(after: slash)...]))
    }

    private static func remove(
        _ name: [CChar], in folder: Int32, path: String, depth: Int
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        guard unlinkat(folder, name, 0) != 0 else { return }
        // Linux says EISDIR for a folder, where POSIX has EPERM. Source: unlink(2).
        guard clinux_errno() == EISDIR else { return try throwUnlessGone(attempt) }
        guard depth < maximumDepth else { throw .tooDeep(path: path) }
        for isLastAttempt in [false, true] {
            do throws(FileSystemError) {
                try empty(name, in: folder, path: path, depth: depth)
            } catch  where error.isNotFound {
                return
            }
            guard unlinkat(folder, name, AT_REMOVEDIR) != 0 else { return }
            // A process that still runs in there may have added a file: once more, then give up.
            guard clinux_errno() == ENOTEMPTY, !isLastAttempt else { break }
        }
        try throwUnlessGone(attempt)
    }

    private static func empty(
        _ name: [CChar], in folder: Int32, path: String, depth: Int
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        var status = stat()
        // Releases may hold folders that even their owner may not read or write to.
        if fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
            status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o700 != 0o700
        {
            _ = fchmodat(folder, name, 0o700, AT_SYMLINK_NOFOLLOW)
        }
        let opened = try OpenedFolder(name, in: folder, attempt)
        // The names first: removing while reading may skip entries (readdir(3)).
        for entry in try opened.names(attempt) {
            let entryPath = "\(path)/\(FolderEntries.text(entry))"
            try remove(entry, in: opened.descriptor, path: entryPath, depth: depth + 1)
        }
    }

    private static func throwUnlessGone(_ attempt: String) throws(FileSystemError) {
        guard clinux_errno() != ENOENT else { return }
        throw .last(attempt)
    }
}

internal import CLinux
internal import Glibc
internal import Transport

/// Removes a tree of files without ever following a symbolic link, not even one that takes a
/// folder's place meanwhile. Each folder is opened relative to its opened parent, with O_NOFOLLOW.
///
/// Whoever may write in the tree decides how deep and how wide it is. So at most ``maximumDepth``
/// folders are open at a time. A deeper folder is moved up into the tree's first folder and removed
/// from there. At most ``nameCount`` names of a folder are read at a time.
enum TreeRemoval {
    /// Each level holds one descriptor.
    private static let maximumDepth = 32
    private static let nameCount = 1024
    /// How many entries one call removes at most: somebody who keeps adding must not hold it up for
    /// ever. The next call removes the rest.
    private static let maximumEntryCount = 1 << 24

    static func remove(_ path: String) throws(FileSystemError) {
        var stripped = path
        while stripped.count > 1, stripped.last == "/" { stripped.removeLast() }
        let parent = HostFileSystem.folder(of: stripped)
        let name = HostFileSystem.name(of: stripped)
        guard !name.isEmpty, name != ".", name != ".." else {
            throw .system(SystemError("removing \(path)", code: EINVAL))
        }
        let raw = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { return try throwUnlessGone("removing \(path)") }
        let folder = FileDescriptor(owning: raw)
        try remove(name, in: folder.raw, path: path)
    }

    /// Removes `name` in an opened folder. Errors name it by `path`.
    static func remove(
        _ name: String, in folder: Int32, path: String
    ) throws(FileSystemError) {
        var counts = Counts()
        try remove(Array(name.utf8CString), in: folder, path: path, above: [], &counts)
    }

    private struct Counts {
        var entries = 0
        /// How many names have been tried for folders that were moved up.
        var names = 0
    }

    /// - Parameter above: the opened folders from the first one of the tree down to `folder`.
    private static func remove(
        _ name: [CChar], in folder: Int32, path: String, above: [Int32], _ counts: inout Counts
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        counts.entries += 1
        guard counts.entries <= maximumEntryCount else {
            throw .system(SystemError(attempt, code: ENOTEMPTY))
        }
        guard unlinkat(folder, name, 0) != 0 else { return }
        // Linux says EISDIR for a folder, where POSIX has EPERM. Source: unlink(2).
        guard clinux_errno() == EISDIR else { return try throwUnlessGone(attempt) }
        makeUsable(name, in: folder)
        if above.count >= maximumDepth, let first = above.first {
            return try move(name, in: folder, to: first, attempt, &counts)
        }
        for isLastAttempt in [false, true] {
            do throws(FileSystemError) {
                try empty(name, in: folder, path: path, above: above, &counts)
            } catch  where error.isNotFound {
                return
            }
            guard unlinkat(folder, name, AT_REMOVEDIR) != 0 else { return }
            // A process that still runs in the folder may have added a file: try once more, then
            // give up.
            guard clinux_errno() == ENOTEMPTY, !isLastAttempt else { break }
        }
        try throwUnlessGone(attempt)
    }

    private static func empty(
        _ name: [CChar], in folder: Int32, path: String, above: [Int32], _ counts: inout Counts
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        let opened = try OpenedFolder(name, in: folder, attempt)
        let chain = above + [opened.descriptor]
        while true {
            // Read the names first: removing while reading may skip entries (readdir(3)).
            let names = try opened.names(attempt, limit: nameCount)
            guard !names.isEmpty else { return }
            for entry in names {
                try remove(
                    entry, in: opened.descriptor, path: "\(path)/\(FolderEntries.text(entry))",
                    above: chain, &counts)
            }
            // Start over, for names that were not read yet and folders that were moved up.
            opened.rewind()
        }
    }

    /// Moves a folder into the first folder of the tree, under a new name. It replaces another
    /// folder of that name if that is empty (rename(2)): that one is to be removed as well.
    private static func move(
        _ name: [CChar], in folder: Int32, to first: Int32, _ attempt: String,
        _ counts: inout Counts
    ) throws(FileSystemError) {
        while counts.names < maximumEntryCount {
            let newName = ".deployex-removed-\(counts.names)"
            counts.names += 1
            guard renameat(folder, name, first, newName) != 0 else { return }
            switch clinux_errno() {
            case ENOTEMPTY, EEXIST, ENOTDIR: continue
            default: return try throwUnlessGone(attempt)
            }
        }
        throw .system(SystemError(attempt, code: EEXIST))
    }

    /// Releases may hold folders that even their owner may not read or write to.
    private static func makeUsable(_ name: [CChar], in folder: Int32) {
        var status = stat()
        if fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
            status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o700 != 0o700
        {
            _ = fchmodat(folder, name, 0o700, AT_SYMLINK_NOFOLLOW)
        }
    }

    private static func throwUnlessGone(_ attempt: String) throws(FileSystemError) {
        guard clinux_errno() != ENOENT else { return }
        throw .last(attempt)
    }
}

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
        guard raw >= 0 else {
            if clinux_errno() == ENOENT { return }
            throw .last("removing \(path)")
        }
        let folder = FileDescriptor(owning: raw)
        try remove(Array(name.utf8CString), in: folder.raw, path: path, depth: 0)
    }

    private static func split(_ path: String) -> (parent: String, name: String) {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        return (parent, String(path[path.index(after: slash)...]))
    }

    /// Names are bytes up to a zero: not every name on a disk is text.
    private static func remove(
        _ name: [CChar], in folder: Int32, path: String, depth: Int
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        var status = stat()
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            return try throwUnlessGone(attempt)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            guard unlinkat(folder, name, 0) != 0 else { return }
            return try throwUnlessGone(attempt)
        }
        guard depth < maximumDepth else { throw .tooDeep(path: path) }
        try empty(name, in: folder, path: path, depth: depth)
        guard unlinkat(folder, name, AT_REMOVEDIR) != 0 else { return }
        try throwUnlessGone(attempt)
    }

    private static func empty(
        _ name: [CChar], in folder: Int32, path: String, depth: Int
    ) throws(FileSystemError) {
        let attempt = "removing \(path)"
        let raw = clinux_open_at(
            folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { return try throwUnlessGone(attempt) }
        // Releases may hold folders without write permission.
        var status = stat()
        if fstat(raw, &status) == 0, status.st_mode & 0o700 != 0o700 {
            _ = fchmod(raw, 0o700)
        }
        guard let stream = fdopendir(raw) else {
            let error = FileSystemError.last(attempt)
            close(raw)
            throw error
        }
        defer { closedir(stream) }
        // The names first: removing while reading may skip entries (readdir(3)).
        for entry in try FolderEntries.names(in: stream, attempt) {
            let entryPath = "\(path)/\(FolderEntries.text(entry))"
            try remove(entry, in: raw, path: entryPath, depth: depth + 1)
        }
    }

    private static func throwUnlessGone(_ attempt: String) throws(FileSystemError) {
        guard clinux_errno() != ENOENT else { return }
        throw .last(attempt)
    }
}

/// Reads an opened folder.
enum FolderEntries {
    /// All names but `.` and `..`, each with its final zero.
    static func names(
        in folder: OpaquePointer, _ attempt: String
    ) throws(FileSystemError) -> [[CChar]] {
        var names: [[CChar]] = []
        while true {
            // The end and an error are told apart by errno alone (readdir(3)).
            errno = 0
            guard let entry = readdir(folder) else {
                guard clinux_errno() == 0 else { throw .last(attempt) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name != dot, name != dotDot { names.append(name) }
        }
    }

    /// A name for people and for paths of our own, which are text.
    static func text(_ name: [CChar]) -> String {
        String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static let dot = Array(".".utf8CString)
    private static let dotDot = Array("..".utf8CString)
}

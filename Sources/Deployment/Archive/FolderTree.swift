internal import Glibc
package import Transport

/// Folders that are made and removed with all that is in them, never through a symbolic link.
package enum FolderTree {
    /// Makes `path` and the folders above it that do not exist, with mode `0o755` less the umask.
    package static func make(_ path: String) throws(SystemError) {
        guard mkdir(path, 0o755) != 0 else { return }
        let code = errno
        if code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try make(String(path[..<slash]))
            guard mkdir(path, 0o755) != 0 else { return }
        }
        // Somebody else may have made it meanwhile; a link to a folder is as good.
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw SystemError("making the folder \(path)", code: code == EEXIST ? ENOTDIR : code)
        }
    }

    /// Removes `path` and everything in it. What does not exist is removed already.
    package static func remove(_ path: String) throws(SystemError) {
        try remove(cString(path.utf8), in: AT_FDCWD, shown: path)
    }

    static func remove(
        _ name: [CChar], in folder: Int32, shown path: String
    ) throws(SystemError) {
        guard unlinkat(folder, name, 0) != 0, errno != ENOENT else { return }
        // Linux says EISDIR for a folder, POSIX allows EPERM. Source: unlink(2).
        guard errno == EISDIR || errno == EPERM else { throw .last("removing \(path)") }
        for _ in 0..<2 {
            let names = try self.names(of: name, in: folder, shown: path) {
                (descriptor, names) throws(SystemError) in
                // Names can only be removed from a folder that its owner may write to.
                if !names.isEmpty { fchmod(descriptor, 0o700) }
                for name in names {
                    try remove(name, in: descriptor, shown: "\(path)/\(text(name))")
                }
            }
            guard unlinkat(folder, name, AT_REMOVEDIR) != 0, errno != ENOENT else { return }
            // A process that still runs in there may have added a file: once more, then give up.
            guard errno == ENOTEMPTY, !names.isEmpty else { break }
        }
        throw .last("removing \(path)")
    }

    /// Reads the names in a folder and gives them, with the folder's descriptor, to `body`.
    @discardableResult
    static func names(
        of name: [CChar], in folder: Int32, shown path: String,
        then body: (Int32, [[CChar]]) throws(SystemError) -> Void = { (_, _) throws(SystemError) in
        }
    ) throws(SystemError) -> [[CChar]] {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var descriptor = openat(folder, name, flags)
        if descriptor < 0, errno == EACCES, fchmodat(folder, name, 0o700, 0) == 0 {
            descriptor = openat(folder, name, flags)
        }
        guard descriptor >= 0 else { throw .last("opening the folder \(path)") }
        guard let stream = fdopendir(descriptor) else {
            let error = SystemError.last("reading the folder \(path)")
            close(descriptor)
            throw error
        }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { start in
                    Array(UnsafeBufferPointer(start: start, count: strlen(start) + 1))
                }
            }
            if name != cString(".".utf8), name != cString("..".utf8) { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .last("reading the folder \(path)") }
        try body(descriptor, names)
        return names
    }

    /// A name from the kernel as text.
    static func text(_ name: [CChar]) -> String {
        String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func cString(_ bytes: some Sequence<UInt8>) -> [CChar] {
        bytes.map { CChar(bitPattern: $0) } + [0]
    }
}

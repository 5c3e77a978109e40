internal import Glibc
internal import Transport

/// Changes of files that happen completely or not at all, whatever fails and whenever we are
/// killed.
extension FileSystem {
    /// Replaces the file at `path`, or makes it: a temporary file beside it, fsync, rename, fsync
    /// of the folder. After an error the old content is still there; only an error of the last step
    /// may leave either content. A temporary file that a killed run left is removed.
    package func replaceFile(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600
    ) throws(FileSystemError) {
        let temporary = path + ".tmp"
        try removeFile(temporary)
        do throws(FileSystemError) {
            let file = try createFile(temporary, mode: mode)
            try file.write(bytes[...])
            try file.finish()
            try rename(temporary, to: path)
        } catch {
            // A full disk should not stay full because of us.
            do throws(FileSystemError) { try removeFile(temporary) } catch {}
            throw error
        }
        try synchronizeFolder(Self.folder(of: path))
    }

    /// As ``replaceFile(_:with:mode:)``, and on a full disk too. `bytes` must have the same length
    /// every time.
    ///
    /// A spare file of that length is kept beside the file; it is made while there is space. When
    /// there is no space, the new bytes overwrite the spare, and the two files exchange their
    /// names. The old file is then the spare for the next time. The content of a spare does not
    /// matter.
    ///
    /// This works on a file system that writes a file's blocks in place, as ext4, XFS and tmpfs do.
    /// One that copies on write (btrfs) still needs space.
    package func replaceFileOnFullDisk(
        _ path: String, with bytes: [UInt8]
    ) throws(FileSystemError) {
        let spare = Self.sparePath(of: path)
        var hasSpare = try status(spare)?.byteCount == Int64(bytes.count)
        do throws(FileSystemError) {
            // The fsync of the folder below makes its name durable as well.
            if !hasSpare {
                try removeFile(spare)
                let file = try createFile(spare, mode: 0o600)
                try file.write(bytes[...])
                try file.finish()
                hasSpare = true
            }
        } catch {
            // A spare cut short is made again next time; the file itself is what counts.
            if case .stopped = error { throw error }
        }
        do throws(FileSystemError) {
            try replaceFile(path, with: bytes)
        } catch {
            guard error.isFull, hasSpare else { throw error }
            try overwriteFile(spare, with: bytes)
            if try status(path) == nil {
                try rename(spare, to: path)
            } else {
                try exchange(spare, path)
            }
            try synchronizeFolder(Self.folder(of: path))
        }
    }

    /// Removes a file and its spare, durably.
    package func removeFileAndSpare(_ path: String) throws(FileSystemError) {
        try removeFile(Self.sparePath(of: path))
        try removeFileDurably(path)
    }

    private static func sparePath(of path: String) -> String { path + ".spare" }

    /// Removes a file durably. A missing file is not an error.
    package func removeFileDurably(_ path: String) throws(FileSystemError) {
        try removeFile(path)
        try synchronizeFolder(Self.folder(of: path))
    }

    /// Makes a folder and all missing folders above it, durably, each with `mode`.
    package func makeFolders(_ path: String, mode: UInt32) throws(FileSystemError) {
        var missing: [String] = []
        var folder = path
        while try status(folder) == nil {
            missing.append(folder)
            let parent = Self.folder(of: folder)
            guard parent != folder else { break }
            folder = parent
        }
        // If the path is not a folder, makeFolder reports it.
        if missing.isEmpty { try makeFolder(path, mode: mode) }
        for folder in missing.reversed() {
            try makeFolder(folder, mode: mode)
            try synchronizeFolder(Self.folder(of: folder))
        }
    }

    /// Makes a private folder, or checks an existing one. It must be a real folder that belongs to
    /// `owner` (by default the user that runs deployex), and nobody else may list it or write to
    /// it. Others may pass through where releases run as another user. A folder that fails the
    /// check is refused, not changed: somebody has opened it on purpose.
    package func makePrivateFolder(
        _ path: String, owner: UInt32? = nil
    ) throws(FileSystemError) {
        try makeFolders(path, mode: 0o700)
        guard let status = try status(path), status.kind == .folder else {
            throw .unusable("using \(path): it is not a folder")
        }
        let owner = owner ?? geteuid()
        guard status.owner == owner else {
            throw .unusable(
                "using \(path): it belongs to user \(status.owner), not \(owner)")
        }
        guard status.mode & 0o066 == 0 else {
            throw .unusable("using \(path): others may enter it; run: chmod 700 \(path)")
        }
    }

    /// The folder that holds `path`.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The name of `path` in that folder.
    package static func name(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
    }
}

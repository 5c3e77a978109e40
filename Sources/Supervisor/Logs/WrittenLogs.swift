internal import CLinux
internal import Glibc
internal import Transport

/// The instances' logs as their processes have them open, to notice one that was deleted.
///
/// A process goes on writing to the file that it has open, also when that has no name any more.
/// Nobody can give the file a name again, or the process another file. So the log is made anew, and
/// what the process goes on to write is copied into it, and freed in the deleted file, until the
/// process has ended.
///
/// Every call blocks. The invariant behind `@unchecked Sendable`: one task at a time uses it.
final class WrittenLogs: @unchecked Sendable {
    private struct Written {
        var log: OpenedLog
        /// What of the file has been seen while it had its name, or has been copied since.
        var seenByteCount: Int64
        var isDeleted = false
    }

    private let owners: TrustedUsers
    private var written: [String: Written] = [:]

    /// How much is copied at a look, so that no log keeps the others waiting.
    private static let maximumCopiedByteCount: Int64 = 64 << 20
    private static let chunkByteCount: Int64 = 1 << 20

    init(owners: TrustedUsers) {
        self.owners = owners
    }

    /// Whether some log is being copied.
    var isCopying: Bool { written.values.contains(where: \.isDeleted) }

    /// Looks at a log, makes it anew if it was deleted, and copies what has been written since.
    /// - Returns: whether it was made anew just now.
    func look(at path: String) throws(FileSystemError) -> Bool {
        guard var found = written[path] else {
            try open(path)
            return false
        }
        var status = stat()
        guard fstat(found.log.raw, &status) == 0 else { throw .last("looking at \(path)") }
        guard status.st_nlink == 0 else {
            // Where somebody has renamed it, its new name is where it is looked for.
            written[path] = nil
            try open(path)
            return false
        }
        let isNews = !found.isDeleted
        found.isDeleted = true
        written[path] = found
        try copy(path, Int64(status.st_size))
        return isNews
    }

    /// Takes note of a log's size after a rotation, which may have made it shorter.
    func measure(_ path: String) {
        guard let found = written[path], !found.isDeleted else { return }
        var status = stat()
        if fstat(found.log.raw, &status) == 0 {
            written[path]?.seenByteCount = Int64(status.st_size)
        }
    }

    /// Copies the rest of a log whose process has ended, and lets go of the log.
    func finish(_ path: String) throws(FileSystemError) {
        defer { written[path] = nil }
        guard written[path] != nil else { return }
        _ = try look(at: path)
    }

    private func open(_ path: String) throws(FileSystemError) {
        guard let log = try OpenedLog(path, isChanged: true, owners: owners) else { return }
        written[path] = Written(log: log, seenByteCount: log.byteCount)
    }

    private func copy(_ path: String, _ byteCount: Int64) throws(FileSystemError) {
        guard let found = written[path] else { return }
        // The file itself is made even if there is nothing to write to it.
        let target = try LogOpening.append(to: path, owners: owners)
        // Somebody may also have cut it.
        var position = min(found.seenByteCount, byteCount)
        let end = min(byteCount, position + Self.maximumCopiedByteCount)
        while position < end {
            let part = try found.log.read(
                at: position, count: Int(min(Self.chunkByteCount, end - position)))
            guard !part.isEmpty else { break }
            let count = target.write(part[...])
            position += Int64(count)
            written[path]?.seenByteCount = position
            // The disk is full: the rest is copied when it takes it.
            guard count == part.count else { break }
        }
        written[path]?.seenByteCount = position
        // Where the file system cannot free it, it goes with the process.
        let whole = position / LogLimits.alignment * LogLimits.alignment
        if whole > 0 { _ = clinux_punch_hole(found.log.raw, 0, whole) }
    }
}

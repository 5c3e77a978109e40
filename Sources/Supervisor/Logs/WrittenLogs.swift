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
        /// Whether it was deleted, and could not be made anew the last time.
        var hasFailed = false
    }

    /// What is new about a log.
    enum Finding: Equatable, Sendable {
        case nothing
        /// It was deleted, and is made anew.
        case remade
        /// It was deleted, and cannot be made anew for this reason.
        case lost(FileSystemError)
    }

    private let owners: TrustedUsers
    /// How much of a log is kept at all.
    private let keptByteCount: Int64
    private var written: [String: Written] = [:]

    /// How much is copied at a look, so that no log keeps the others waiting.
    private static let maximumCopiedByteCount: Int64 = 64 << 20
    private static let chunkByteCount: Int64 = 1 << 20

    init(owners: TrustedUsers, keptByteCount: Int64 = .max) {
        self.owners = owners
        self.keptByteCount = keptByteCount
    }

    /// Whether some log is being copied.
    var isCopying: Bool { written.values.contains(where: \.isDeleted) }

    /// Looks at a log, makes it anew if it was deleted, and copies what has been written since. If
    /// that fails, the next look tries it again.
    func look(at path: String) throws(FileSystemError) -> Finding {
        guard let found = written[path] else {
            try open(path)
            return .nothing
        }
        var status = stat()
        guard fstat(found.log.raw, &status) == 0 else { throw .last("looking at \(path)") }
        guard status.st_nlink == 0 else {
            // Where somebody has renamed it, its new name is where it is looked for.
            written[path] = nil
            try open(path)
            return .nothing
        }
        do throws(FileSystemError) {
            try copy(path, Int64(status.st_size))
        } catch {
            written[path]?.hasFailed = true
            return found.hasFailed ? .nothing : .lost(error)
        }
        written[path]?.isDeleted = true
        written[path]?.hasFailed = false
        return found.isDeleted && !found.hasFailed ? .nothing : .remade
    }

    /// Takes note of a log's size after a rotation, which may have made it shorter.
    func measure(_ path: String) {
        guard let found = written[path], !found.isDeleted else { return }
        var status = stat()
        // What is written to a deleted one is still to be copied.
        if fstat(found.log.raw, &status) == 0, status.st_nlink > 0 {
            written[path]?.seenByteCount = Int64(status.st_size)
        }
    }

    /// Copies the rest of a log whose process has ended, and lets go of the log.
    func finish(_ path: String) throws(FileSystemError) {
        defer { written[path] = nil }
        guard written[path] != nil else { return }
        if case .lost(let error) = try look(at: path) { throw error }
    }

    private func open(_ path: String) throws(FileSystemError) {
        guard let log = try OpenedLog(path, isChanged: true, owners: owners) else { return }
        written[path] = Written(log: log, seenByteCount: log.byteCount)
    }

    private func copy(_ path: String, _ byteCount: Int64) throws(FileSystemError) {
        guard let found = written[path] else { return }
        // Somebody may have removed the folder as well.
        _ = try LogOpening.makeFolder(
            HostFileSystem.folder(of: path), mode: LogFiles.folderMode, owners: owners)
        // The file itself is made even if there is nothing to write to it.
        let target = try LogOpening.append(to: path, owners: owners)
        // Somebody may also have cut it.
        var position = min(found.seenByteCount, byteCount)
        // Of a flood, what comes before would be copied only to be removed with the oldest piece.
        position = max(position, byteCount - keptByteCount)
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

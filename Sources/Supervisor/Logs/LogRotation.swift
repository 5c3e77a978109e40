internal import Glibc
internal import Transport

/// Rotates one log whose writers append to it without knowing of the rotation. Every call blocks.
///
/// The writers hold the file open for its whole life, so its name means nothing to them. The head
/// is copied to a file beside the log, made durable, and freed in the log. Where the file system
/// can, the hole that remains is then cut out of the log. Meanwhile appending continues at the end.
/// All pieces in the order of their names, and then the log, are byte for byte what was written. A
/// line may begin in one file and end in the next.
///
/// After a kill at any point, the next ``recover()`` looks at the names, and completes or undoes
/// the rotation:
///
/// | what is there | what it means | what is done |
/// |---|---|---|
/// | `.copying` | the copy may be incomplete | remove it |
/// | `.rotating-…` | whole copy; head may be freed | free it (again); the copy becomes a piece |
/// | a hole at the head | its bytes are in a piece | cut it out of the file, where that works |
/// | too many pieces | they were not removed | remove the oldest |
struct LogRotation: Sendable {
    /// A step of a rotation, for tests that stop it there.
    enum Step: CaseIterable, Sendable {
        case copyBegun, partCopied, copied, copyNamed, headFreed, pieceNamed, holeDropped
    }

    let path: String
    let limits: LogLimits
    var owners = TrustedUsers()
    var onStep: @Sendable (Step) throws(FileSystemError) -> Void = { _ throws(FileSystemError) in }
    /// For tests: as on a file system that cannot free a part of a file.
    var freesNoPart = false

    /// Reaches the names in the log's folder through the opened folder.
    private var files: HostFileSystem {
        get throws(FileSystemError) {
            HostFileSystem(below: try LogOpening.folder(of: path, owners: owners))
        }
    }
    private var folder: String { HostFileSystem.folder(of: path) }

    private func path(of name: LogPieceName) -> String { path + name.suffix }

    // MARK: What is done

    /// Moves the head of the log to pieces until the rest is within the limit. It makes at most
    /// ``maximumMoveCount`` pieces: a log that has grown to gigabytes meanwhile must not keep
    /// others waiting. On a full disk no copy is left behind.
    /// - Returns: how many bytes were moved to pieces. It is `nil` if the file system cannot free a
    ///   part of a file, so that the log can only be renamed before a start.
    func rotate() throws(FileSystemError) -> Int64? {
        guard let log = try completeNames() else { return 0 }
        var moved: Int64 = 0
        // While a flood lasts nothing is copied: the log would grow meanwhile.
        if let count = floodByteCount(of: log) { return try drop(log, count) ? 0 : nil }
        _ = try log.dropHole()
        try prune()
        for _ in 0..<Self.maximumMoveCount
        where log.contentByteCount > limits.fileByteCount && floodByteCount(of: log) == nil {
            // The part that is cut off ends at a block and before the last byte, as fallocate(2)
            // demands.
            let end = min(log.firstData + limits.pieceByteCount, log.byteCount - 1)
            let count = end / LogLimits.alignment * LogLimits.alignment - log.firstData
            guard count > 0 else { break }
            guard try move(log, count) else { return nil }
            moved += count
            try prune()
            try log.measure()
        }
        return moved
    }

    /// Rotates a log that nobody has open by renaming it, if it is above the limit or has a hole
    /// that could not be cut out.
    func rotateByRename() throws(FileSystemError) {
        try recover()
        guard let log = try OpenedLog(path, isChanged: true, owners: owners),
            log.contentByteCount > 0,
            log.firstData > 0 || log.contentByteCount > limits.fileByteCount
        else { return }
        try rename()
    }

    /// Makes the whole log a piece, whatever its size. The caller is its only writer.
    func rename() throws(FileSystemError) {
        try files.rename(path, to: path(of: .piece(start: try end())))
        try files.synchronizeFolder(folder)
        try prune()
    }

    /// Completes or undoes a rotation that a kill interrupted.
    func recover() throws(FileSystemError) {
        _ = try completeNames()?.dropHole()
        try prune()
    }

    /// The part of it that the names tell. Returns the log.
    private func completeNames() throws(FileSystemError) -> OpenedLog? {
        let log = try OpenedLog(path, isChanged: true, owners: owners)
        for name in try LogSnapshot.names(path, owners) {
            switch LogPieceName(name, of: HostFileSystem.name(of: path)) {
            case .copying: try files.removeFile(path(of: .copying))
            case .rotating(let start, let position):
                try complete(start: start, position: position, log)
            case .piece, nil: break
            }
        }
        try log?.measure()
        return log
    }

    static let maximumMoveCount = 8

    /// How much of the log would only be copied in order to be removed; `nil` if that is no more
    /// than is copied in a turn.
    private func floodByteCount(of log: OpenedLog) -> Int64? {
        let piece = limits.pieceByteCount
        let count = Int64(limits.keptPieceCount + 1 + Self.maximumMoveCount)
        guard log.contentByteCount > count * piece else { return nil }
        let end = log.byteCount - Int64(limits.keptPieceCount + 1) * piece
        return end / LogLimits.alignment * LogLimits.alignment - log.firstData
    }

    /// Frees what would only be copied in order to be removed as the oldest piece: a log that grows
    /// by a gigabyte a second grows faster than it is copied.
    ///
    /// An empty piece says how many bytes were written before the log's first one. The hole is cut
    /// out of the file later, which takes as long as writing the rest of the file to the disk.
    /// - Returns: whether the file system can free a part of a file.
    private func drop(_ log: OpenedLog, _ count: Int64) throws(FileSystemError) -> Bool {
        guard !freesNoPart, try log.canBeFreed(from: log.firstData, count: count) else {
            return false
        }
        let start = try end() + count
        try files.createHostFile(path(of: .copying), mode: log.mode).finish()
        try files.rename(path(of: .copying), to: path(of: .piece(start: start)))
        try prune()
        return true
    }

    // MARK: One piece

    /// - Returns: whether the file system can free a part of a file.
    private func move(_ log: OpenedLog, _ count: Int64) throws(FileSystemError) -> Bool {
        let (start, position) = (try end(), log.firstData)
        guard try copy(log, position, count) else { return false }
        let copied = LogPieceName.rotating(start: start, position: position)
        try files.rename(path(of: .copying), to: path(of: copied))
        try files.synchronizeFolder(folder)
        try onStep(.copyNamed)
        // If somebody else has cut the file, its content is no longer what was copied.
        try log.measure()
        if log.byteCount > position + count { try log.free(from: position, count: count) }
        try onStep(.headFreed)
        try files.rename(path(of: copied), to: path(of: .piece(start: start)))
        try onStep(.pieceNamed)
        _ = try log.dropHole()
        try onStep(.holeDropped)
        return true
    }

    private func copy(
        _ log: OpenedLog, _ position: Int64, _ count: Int64
    ) throws(FileSystemError) -> Bool {
        do throws(FileSystemError) {
            return try writeCopy(log, position, count)
        } catch {
            // A full disk should not stay full because of us.
            if error != .stopped { try files.removeFile(path(of: .copying)) }
            throw error
        }
    }

    private func writeCopy(
        _ log: OpenedLog, _ position: Int64, _ count: Int64
    ) throws(FileSystemError) -> Bool {
        let copyPath = path(of: .copying)
        let copy = try files.createHostFile(copyPath, mode: log.mode)
        try onStep(.copyBegun)
        // Tried on the empty copy first, so that its bytes are not written in vain.
        guard !freesNoPart, try copy.canBeFreed(byteCount: LogLimits.alignment) else {
            try files.removeFile(copyPath)
            return false
        }
        var copied: Int64 = 0
        while copied < count {
            let part = try log.read(
                at: position + copied, count: Int(min(Self.chunkByteCount, count - copied)))
            guard !part.isEmpty else {
                throw .system(SystemError("copying \(path), which somebody cut", code: EAGAIN))
            }
            try copy.write(part[...])
            copied += Int64(part.count)
            try onStep(.partCopied)
        }
        try copy.finish()
        try onStep(.copied)
        return true
    }

    private static let chunkByteCount: Int64 = 1 << 20

    /// Frees the log's head, of which there is a complete and durable copy. So nothing is lost,
    /// however often this is done.
    private func complete(
        start: Int64, position: Int64, _ log: OpenedLog?
    ) throws(FileSystemError) {
        let name = LogPieceName.rotating(start: start, position: position)
        guard let copy = try OpenedLog(path(of: name), owners: owners) else { return }
        if let log, log.byteCount > position + copy.byteCount,
            try Self.isHeadOrFreed(log, position, copy)
        {
            try log.free(from: position, count: copy.byteCount)
        }
        try files.rename(path(of: name), to: path(of: .piece(start: start)))
    }

    /// Whether the log at `position` still is what was copied. If somebody else has cut or replaced
    /// the log meanwhile, it is not. Then no piece has these bytes, and they must stay.
    private static func isHeadOrFreed(
        _ log: OpenedLog, _ position: Int64, _ copy: OpenedLog
    ) throws(FileSystemError) -> Bool {
        guard log.firstData < position + copy.byteCount else { return true }
        var offset: Int64 = 0
        while offset < copy.byteCount {
            let count = Int(min(chunkByteCount, copy.byteCount - offset))
            let wanted = try copy.read(at: offset, count: count)
            let found = try log.read(at: position + offset, count: count)
            // A power failure may have left the head partly freed: zeros.
            guard found == wanted || zip(found, wanted).allSatisfy({ $0 == 0 || $0 == $1 })
            else { return false }
            offset += Int64(count)
        }
        return true
    }

    // MARK: Pieces

    private func pieces() throws(FileSystemError) -> [Int64] {
        try LogSnapshot.names(path, owners).compactMap { name in
            guard case .piece(let start) = LogPieceName(name, of: HostFileSystem.name(of: path))
            else { return nil }
            return start
        }.sorted()
    }

    /// Where the newest piece ends; the log itself begins there.
    private func end() throws(FileSystemError) -> Int64 {
        guard let start = try pieces().last,
            let newest = try OpenedLog(path(of: .piece(start: start)), owners: owners)
        else { return 0 }
        return start + newest.contentByteCount
    }

    private func prune() throws(FileSystemError) {
        for start in try pieces().dropLast(limits.keptPieceCount) {
            try files.removeFile(path(of: .piece(start: start)))
        }
    }
}

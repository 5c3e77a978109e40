internal import Glibc
internal import Transport

/// A log and its pieces at one moment, as one sequence of bytes, numbered from the first byte ever
/// written. Every call blocks.
///
/// Somebody else may rotate the log at any time. So after reading, the caller asks ``isCurrent()``.
/// If the snapshot is not current, the caller reads again from a new snapshot.
struct LogSnapshot {
    /// One file of the log, and the part of the sequence that it holds.
    struct Part {
        var log: OpenedLog
        var range: Range<Int64>
    }

    /// How far reading has come, for tests that rotate the log there.
    enum Step: CaseIterable, Sendable {
        /// First the names are known; then the log's size, but not yet where its bytes begin; then
        /// all.
        case listed, sized, opened
        /// The bytes have been read; then the first half of ``LogSnapshot/isCurrent()`` is done.
        case read, halfCompared
    }

    typealias OnStep = (Step) throws(FileSystemError) -> Void

    let path: String
    /// Oldest first, with gaps where a piece is missing. The last part is the log itself, if it
    /// exists.
    let parts: [Part]
    /// The range of the log itself; empty if it does not exist.
    let live: Range<Int64>
    /// The log's inode; 0 if the log does not exist.
    let inode: UInt64
    private let names: [String]
    private let owners: TrustedUsers
    private let firstData: Int64
    private let onStep: OnStep

    init(
        path: String, owners: TrustedUsers = TrustedUsers(),
        onStep: @escaping OnStep = { _ throws(FileSystemError) in }
    ) throws(FileSystemError) {
        self.path = path
        self.owners = owners
        self.onStep = onStep
        names = try Self.names(path, owners)
        try onStep(.listed)
        let log = try OpenedLog(path, owners: owners) { () throws(FileSystemError) in
            try onStep(.sized)
        }
        var found: [(start: Int64, log: OpenedLog)] = []
        for name in names {
            guard let kind = LogPieceName(name, of: HostFileSystem.name(of: path)) else { continue }
            let piecePath = HostFileSystem.folder(of: path) + "/" + name
            switch kind {
            case .copying: break
            case .piece(let start):
                if let piece = try OpenedLog(piecePath, owners: owners) {
                    found.append((start, piece))
                }
            case .rotating(let start, let position):
                guard let piece = try OpenedLog(piecePath, owners: owners) else { break }
                // Until these bytes are gone from the log, they are read there.
                let end = position + piece.byteCount
                if let log, log.firstData < end, log.byteCount > end { break }
                found.append((start, piece))
            }
        }
        found.sort { $0.start < $1.start }
        var parts = found.map { start, piece in
            Part(log: piece, range: start..<start + piece.contentByteCount)
        }
        let begin = parts.last?.range.upperBound ?? 0
        live = begin..<begin + (log?.contentByteCount ?? 0)
        if let log { parts.append(Part(log: log, range: live)) }
        inode = log?.inode ?? 0
        firstData = log?.firstData ?? 0
        self.parts = parts
        try onStep(.opened)
    }

    /// The number of the oldest byte that is still there.
    var begin: Int64 { parts.first?.range.lowerBound ?? live.lowerBound }
    var end: Int64 { live.upperBound }

    /// Whether nothing has been rotated since this snapshot was taken.
    ///
    /// It compares the log first, then the names. While the names stay the same, the log's
    /// beginning changes at most once: it is freed while the copy is named, or shortened when the
    /// copy is a piece. In the opposite order, a whole rotation could pass between the two looks.
    /// After it the log begins where it began before the last rotation.
    func isCurrent() throws(FileSystemError) -> Bool {
        let now = try OpenedLog(path, owners: owners)
        guard (now?.inode ?? 0) == inode, (now?.firstData ?? 0) == firstData else { return false }
        try onStep(.halfCompared)
        return try Self.names(path, owners) == names
    }

    /// Up to `count` bytes from number `offset` on. They come from one file, so there may be fewer;
    /// only at the end there are none.
    func read(from offset: Int64, count: Int) throws(FileSystemError) -> [UInt8] {
        for part in parts where part.range.contains(offset) {
            let available = Int(clamping: part.range.upperBound - offset)
            return try part.log.read(
                at: part.log.firstData + (offset - part.range.lowerBound),
                count: min(count, available))
        }
        return []
    }

    /// The names of the files that belong to the log, sorted; empty if its folder does not exist.
    static func names(
        _ path: String, _ owners: TrustedUsers
    ) throws(FileSystemError) -> [String] {
        let all: [String]
        do throws(FileSystemError) {
            let folder = try LogOpening.folder(of: path, owners: owners)
            all = try HostFileSystem(below: folder).list(folder.path)
        } catch {
            if error.isNotFound { return [] }
            throw error
        }
        let log = HostFileSystem.name(of: path)
        return all.filter { LogPieceName($0, of: log) != nil }
    }
}

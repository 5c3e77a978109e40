internal import ExternalTermFormat
internal import Supervisor

/// Reads an instance's log piece by piece, so that a reader who asks again and again misses nothing
/// and sees nothing twice, over rotations too. It blocks.
enum LogReader {
    struct Piece: Equatable {
        var bytes: [UInt8]
        /// Where the next piece begins: `{Offset, Inode}`, which means nothing to whoever gets it.
        var next: Term
        /// Bytes before these that were removed before they were read.
        var lostByteCount: Int64
    }

    /// The most bytes of one piece.
    private static let maximumByteCount = 256 << 10

    /// - Throws: ``ControlRefusal`` for a position that no answer has given, and `FileSystemError`.
    static func read(
        _ logs: LogFiles, _ name: InstanceName, _ stream: LogFiles.Stream,
        from start: ControlCall.LogStart
    ) throws -> Piece {
        let position =
            switch start {
            case .last(let lines): try logs.position(name, stream, lastLines: lines)
            case .position(let term): try Self.position(term)
            }
        let chunk = try logs.read(name, stream, from: position, limit: maximumByteCount)
        return Piece(
            bytes: chunk.bytes,
            next: .tuple([Term(chunk.next.offset), Term(chunk.next.inode)]),
            lostByteCount: chunk.lostByteCount)
    }

    private static func position(_ term: Term) throws(ControlRefusal) -> LogPosition {
        guard let fields = term.asTuple, fields.count == 2, let offset = fields[0].asInteger,
            let inode = fields[1].asUInt64, offset >= 0
        else { throw ControlRefusal("a position is {last,N}, or what an answer gave as next") }
        return LogPosition(offset: Int64(offset), inode: inode)
    }
}

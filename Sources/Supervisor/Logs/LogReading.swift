/// Reads a log, from its end or from a position on.
extension LogSnapshot {
    /// What follows `position`.
    func chunk(from position: LogPosition, limit: Int) throws(FileSystemError) -> LogChunk {
        var offset = position.offset
        var lostByteCount: Int64 = 0
        // A position beyond the end means that the file was cut, as by logrotate's copytruncate. A
        // position inside, but of another file that is not a piece, means that the file was
        // replaced, as by logrotate's create, or removed and made again.
        let isCut = offset > live.upperBound
        let isReplaced =
            offset > live.lowerBound && position.inode != 0 && inode != 0
            && position.inode != inode
        if isCut || isReplaced { offset = live.lowerBound }
        if let part = parts.first(where: { $0.range.upperBound > offset }),
            part.range.lowerBound > offset
        {
            lostByteCount = part.range.lowerBound - offset
            offset = part.range.lowerBound
        }
        let bytes = try read(from: offset, count: limit)
        return LogChunk(
            bytes: bytes,
            next: LogPosition(offset: offset + Int64(bytes.count), inode: inode),
            lostByteCount: lostByteCount, isFromBeginning: isCut || isReplaced)
    }

    /// The last `count` lines, and where the first of them begins.
    func lastLines(_ count: Int) throws(FileSystemError) -> (lines: [String], offset: Int64) {
        guard count > 0 else { return ([], end) }
        var pieces: [[UInt8]] = []
        var lineEndCount = 0
        var start = end
        // Read from the end, in chunks, until enough line ends have been seen. The last byte ends a
        // line or belongs to one, but does not separate two lines.
        while start > begin, end - start < Self.maximumByteCount, lineEndCount < count {
            guard let part = parts.last(where: { $0.range.lowerBound < start }),
                part.range.upperBound >= start
            else { break }
            let size = min(
                Self.chunkByteCount, start - part.range.lowerBound,
                Self.maximumByteCount - (end - start))
            let bytes = try read(from: start - size, count: Int(size))
            let considered = pieces.isEmpty ? bytes.dropLast() : bytes[...]
            lineEndCount += considered.count { $0 == Self.lineEnd }
            pieces.append(bytes)
            start -= size
        }
        let bytes = pieces.reversed().flatMap { $0 }
        let lines = Self.split(bytes).suffix(count)
        let length = lines.first.map { bytes.count - $0.startIndex } ?? 0
        return (lines.map(Self.text), end - Int64(length))
    }

    private static let lineEnd = UInt8(ascii: "\n")
    private static let maximumByteCount: Int64 = 1 << 20
    private static let chunkByteCount: Int64 = 128 << 10

    private static func split(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var bytes = bytes[...]
        if bytes.last == lineEnd {
            bytes.removeLast()
        } else if bytes.isEmpty {
            return []
        }
        return bytes.split(separator: lineEnd, omittingEmptySubsequences: false)
    }

    private static func text(_ line: ArraySlice<UInt8>) -> String {
        String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }
}

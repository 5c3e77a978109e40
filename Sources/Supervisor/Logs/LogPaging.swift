internal import Glibc
internal import Transport

/// Reads whole lines of a log, backwards or forwards.
extension LogSnapshot {
    private static let lineEnd = UInt8(ascii: "\n")
    private static let chunkByteCount = 256 << 10

    /// Where `position` is now; `nil` if it is gone.
    private func offset(of position: LogPosition) -> Int64? {
        guard position.offset >= begin, position.offset <= end else { return nil }
        // A rotation keeps the file, or makes the whole of it a piece.
        let isReplaced =
            position.offset > live.lowerBound && position.inode != 0 && inode != 0
            && position.inode != inode
        return isReplaced ? nil : position.offset
    }

    private func position(_ offset: Int64) -> LogPosition {
        LogPosition(offset: offset, inode: inode)
    }

    private func page(
        _ lines: [LogLine], _ begin: Int64, _ end: Int64, isLast: Bool, _ readByteCount: Int
    ) -> LogPage {
        let part = parts.last { $0.range.lowerBound < end } ?? parts.last
        return LogPage(
            lines: lines, begin: position(begin), end: position(end), isLast: isLast,
            readByteCount: readByteCount, writtenAt: part?.log.writtenAt ?? 0)
    }

    /// Where the last line begins if it has no end yet and is being written; else the log's end.
    private func endOfWholeLines() throws(FileSystemError) -> Int64 {
        guard let log = parts.last?.log, time(nil) - Int(log.writtenAt) < 2 else { return end }
        var start = end
        // A longer line is shown in parts.
        while start > begin, end - start < Int64(LogLine.maximumByteCount) {
            guard let part = parts.last(where: { $0.range.lowerBound < start }),
                part.range.upperBound >= start
            else { break }
            let count = min(Int64(4 << 10), start - part.range.lowerBound)
            let bytes = try read(from: start - count, count: Int(count))
            if let last = bytes.lastIndex(of: Self.lineEnd) {
                return start - count + Int64(last) + 1
            }
            start -= count
        }
        return end - start >= Int64(LogLine.maximumByteCount) ? end : start
    }

    // MARK: Backwards

    /// - Returns: `nil` when the position is gone.
    func linesBefore(
        _ position: LogPosition?, _ limits: LogPageLimits
    ) throws(FileSystemError) -> LogPage? {
        let wanted: Int64
        if let position {
            guard let offset = offset(of: position) else { return nil }
            wanted = offset
        } else {
            wanted = try endOfWholeLines()
        }
        var reading = BackwardLines(lineCount: limits.lineCount)
        var start = wanted
        var readByteCount = 0
        while !reading.isFull, readByteCount < limits.byteCount {
            guard let part = parts.last(where: { $0.range.lowerBound < start }) else { break }
            if part.range.upperBound < start {
                // Somebody has removed a piece: the line before the gap ends there.
                reading.begin(at: start)
                start = part.range.upperBound
                continue
            }
            let count = min(
                Int64(min(Self.chunkByteCount, limits.byteCount - readByteCount)),
                start - part.range.lowerBound)
            let bytes = try read(from: start - count, count: Int(count))
            // It was cut by somebody else just now; the snapshot is not current.
            guard bytes.count == Int(count) else { break }
            readByteCount += bytes.count
            start -= count
            reading.add(bytes, at: start)
        }
        let isAtBegin = start <= begin
        if !reading.isFull, isAtBegin || reading.lines.isEmpty { reading.begin(at: start) }
        let first = reading.lines.last?.offset ?? wanted
        return page(
            reading.lines.reversed(), first, wanted, isLast: isAtBegin && first <= begin,
            readByteCount)
    }

    // MARK: Forwards

    /// - Returns: `nil` when the position is gone, unless `skipping`.
    func linesAfter(
        _ position: LogPosition?, _ limits: LogPageLimits, skipping: Bool
    ) throws(FileSystemError) -> LogPage? {
        var skippedByteCount: Int64 = 0
        let wanted: Int64
        if let position {
            if let offset = offset(of: position) {
                wanted = offset
            } else {
                guard skipping else { return nil }
                // One that was cut or replaced is read from its begin.
                let isOlder = position.offset < begin
                wanted = isOlder ? begin : live.lowerBound
                skippedByteCount = isOlder ? begin - position.offset : 0
            }
        } else {
            wanted = begin
        }
        let wholeEnd = max(try endOfWholeLines(), wanted)
        var reading = ForwardLines(begin: wanted, lineCount: limits.lineCount)
        var start = wanted
        var readByteCount = 0
        while !reading.isFull, readByteCount < limits.byteCount, start < wholeEnd {
            let count = min(
                Int64(min(Self.chunkByteCount, limits.byteCount - readByteCount)),
                wholeEnd - start)
            let bytes = try read(from: start, count: Int(count))
            if bytes.isEmpty {
                guard let next = parts.first(where: { $0.range.lowerBound > start }) else { break }
                reading.end(at: start)
                start = next.range.lowerBound
                reading.skip(to: start)
                continue
            }
            readByteCount += bytes.count
            reading.add(bytes, at: start)
            start += Int64(bytes.count)
        }
        if !reading.isFull, start >= wholeEnd || reading.lines.isEmpty { reading.end(at: start) }
        var page = page(
            reading.lines, wanted, reading.begin, isLast: reading.begin >= wholeEnd, readByteCount)
        page.skippedByteCount = skippedByteCount
        page.hasUnfinishedLine = wholeEnd < end
        return page
    }
}

/// Finds lines in chunks that come from the end of a log to its begin.
private struct BackwardLines {
    /// Newest first.
    private(set) var lines: [LogLine] = []
    private let lineCount: Int
    /// The begin of the line that is being collected, as far as its begin is known.
    private var carry: ArraySlice<UInt8> = []
    /// How many bytes of it have been seen.
    private var carryCount: Int64 = 0
    /// Whether anything of a line has been seen, if only its end.
    private var isInLine = false

    init(lineCount: Int) {
        self.lineCount = lineCount
    }

    var isFull: Bool { lines.count >= lineCount }

    mutating func add(_ bytes: [UInt8], at offset: Int64) {
        var rest = bytes[...]
        while !isFull {
            guard let lineEnd = rest.lastIndex(of: UInt8(ascii: "\n")) else { break }
            prepend(rest[(lineEnd + 1)...])
            if isInLine { begin(at: offset + Int64(lineEnd) + 1) }
            isInLine = true
            rest = rest[..<lineEnd]
        }
        guard !isFull, !rest.isEmpty else { return }
        prepend(rest)
        isInLine = true
    }

    private mutating func prepend(_ bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty else { return }
        isInLine = true
        carryCount += Int64(bytes.count)
        carry = carry.isEmpty ? bytes : (bytes + carry)
        carry = carry.prefix(LogLine.maximumByteCount)
    }

    /// The line that is being collected begins here.
    mutating func begin(at offset: Int64) {
        guard isInLine else { return }
        lines.append(
            LogLine(bytes: carry, cutByteCount: carryCount - Int64(carry.count), offset: offset))
        carry = []
        carryCount = 0
        isInLine = false
    }
}

/// Finds lines in chunks that come from the begin of a log to its end.
private struct ForwardLines {
    private(set) var lines: [LogLine] = []
    private let lineCount: Int
    private var carry: ArraySlice<UInt8> = []
    private var carryCount: Int64 = 0
    /// Where the line that is being collected begins.
    private(set) var begin: Int64

    init(begin: Int64, lineCount: Int) {
        self.begin = begin
        self.lineCount = lineCount
    }

    var isFull: Bool { lines.count >= lineCount }

    mutating func add(_ bytes: [UInt8], at offset: Int64) {
        var rest = bytes[...]
        while !isFull {
            guard let lineEnd = rest.firstIndex(of: UInt8(ascii: "\n")) else {
                append(rest)
                break
            }
            append(rest[..<lineEnd])
            finish(next: offset + Int64(lineEnd) + 1)
            rest = rest[(lineEnd + 1)...]
        }
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        carryCount += Int64(bytes.count)
        let room = LogLine.maximumByteCount - carry.count
        carry = carry.isEmpty ? bytes.prefix(room) : (carry + bytes.prefix(room))
    }

    /// The line that is being collected, if there is one, ends here without a line end.
    mutating func end(at offset: Int64) {
        if carryCount > 0 { finish(next: offset) }
    }

    private mutating func finish(next: Int64) {
        lines.append(
            LogLine(bytes: carry, cutByteCount: carryCount - Int64(carry.count), offset: begin))
        carry = []
        carryCount = 0
        begin = next
    }

    mutating func skip(to offset: Int64) {
        begin = offset
    }
}

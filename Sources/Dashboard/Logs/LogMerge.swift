package import Supervisor

/// A line of a log, and when it was written as far as that is known.
package struct MergedLine: Equatable, Sendable {
    package var source: LogSource
    package var text: String
    /// Where the line begins, for a link to it.
    package var cursor: LogCursor
    /// Milliseconds since 1970; `nil` for a line that does not say it.
    package var at: Int64?
}

/// Lines of one log or of several, in one order.
package struct MergedPage: Equatable, Sendable {
    /// Oldest first.
    package var lines: [MergedLine]
    /// Where the lines begin; `nil` when there is nothing before them.
    package var before: LogCursor?
    /// Where they end.
    package var after: LogCursor
    /// How many bytes were passed over.
    package var skippedByteCount: Int64 = 0
    /// Whether nothing follows in the direction of reading.
    package var isLast: Bool
    /// Whether some log's last line has no end yet, and was left out.
    package var hasUnfinishedLine = false
}

/// Why lines cannot be read.
package enum LogReadingError: Error, Equatable {
    /// A cursor's place has been removed, or another log has its name.
    case gone
    /// A cursor that names none of the logs.
    case otherLogs
    case file(FileSystemError)

    init(_ error: LogPageError) {
        switch error {
        case .gone: self = .gone
        case .file(let error): self = .file(error)
        }
    }
}

/// Puts the lines of several logs into one order.
///
/// Within a log the order stays as it is. A line without a time stays behind the line before it in
/// its own log. Between logs the times in the lines decide. Lines of a log without any times stand
/// at the time of the log's last write.
package enum LogMerge {
    /// What is read at a time of one log, at most.
    private static let stepByteCount = 512 << 10
    private static let stepLineCount = 1_000
    /// The most that a page holds.
    package static let pageByteCount = 2 << 20

    /// The newest lines before the cursor, or the last ones. It blocks.
    package static func before(
        _ cursor: LogCursor?, of sources: [LogSource], count: Int, zone: LineClock.Zone = .local
    ) throws(LogReadingError) -> MergedPage {
        var tails: [Tail] = []
        for source in try chosen(sources, cursor) {
            tails.append(Tail(source, cursor?.place(source), zone: zone))
        }
        var lines: [MergedLine] = []
        var byteCount = 0
        while lines.count < count, byteCount < pageByteCount {
            var newest: (index: Int, key: Int64)?
            for index in tails.indices {
                try tails[index].fill()
                guard let key = tails[index].key else { continue }
                if newest == nil || key >= newest?.key ?? .min { newest = (index, key) }
            }
            guard let newest else { break }
            let line = tails[newest.index].take()
            byteCount += line.text.utf8.count
            lines.append(line)
        }
        // Those that were not looked at, as nothing was wanted of them, have no place yet.
        for index in tails.indices { try tails[index].fill() }
        let isLast = tails.allSatisfy(\.isExhausted)
        return MergedPage(
            lines: lines.reversed(), before: isLast ? nil : LogCursor(tails.map(\.begin)),
            after: LogCursor(tails.map(\.end)), isLast: isLast)
    }

    /// The lines from the cursor on. It blocks.
    /// - Parameter limit: a log that is further behind is read from so many bytes before its end;
    ///   the page says how much was skipped. If `nil`, a place that is gone is an error.
    package static func after(
        _ cursor: LogCursor, of sources: [LogSource], count: Int,
        byteCount limitOfPage: Int = pageByteCount,
        skippingBeyond limit: Int? = nil, zone: LineClock.Zone = .local
    ) throws(LogReadingError) -> MergedPage {
        var heads: [Head] = []
        for source in try chosen(sources, cursor) {
            heads.append(
                try Head(
                    source, cursor.place(source), zone: zone, count: min(count, 1_000), limit))
        }
        var lines: [MergedLine] = []
        var byteCount = 0
        while lines.count < count, byteCount < limitOfPage {
            // A log of which more is to be read has no next line yet that could be compared.
            guard
                let oldest = heads.indices.filter({ heads[$0].key != nil })
                    .min(by: { heads[$0].key ?? 0 < heads[$1].key ?? 0 })
            else { break }
            let line = heads[oldest].take()
            byteCount += line.text.utf8.count
            lines.append(line)
            if heads[oldest].key == nil, !heads[oldest].isLast { break }
        }
        return MergedPage(
            lines: lines, before: LogCursor(heads.map(\.begin)),
            after: LogCursor(heads.map(\.end)),
            skippedByteCount: heads.reduce(0) {
                // Names of files can say that any number was skipped.
                min($0 + min($1.skippedByteCount, 1 << 50), 1 << 56)
            },
            isLast: heads.allSatisfy { $0.isLast && $0.key == nil },
            hasUnfinishedLine: heads.contains(where: \.hasUnfinishedLine))
    }

    /// The ends of the logs. It blocks.
    package static func end(of sources: [LogSource]) throws(LogReadingError) -> LogCursor {
        var places: [LogCursor.Place] = []
        for source in sources {
            let page = try source.linesBefore(nil, LogPageLimits(lineCount: 1, byteCount: 16 << 10))
            places.append(
                LogCursor.Place(
                    key: source.key, position: page.end, seconds: page.writtenAt))
        }
        return LogCursor(places)
    }

    /// The logs that the cursor names: a link to a line names only the log of that line.
    private static func chosen(
        _ sources: [LogSource], _ cursor: LogCursor?
    ) throws(LogReadingError) -> [LogSource] {
        guard let cursor else { return sources }
        let chosen = sources.filter { cursor.place($0) != nil }
        guard !chosen.isEmpty || sources.isEmpty else { throw .otherLogs }
        return chosen
    }

    // MARK: One log

    private struct Waiting {
        var line: LogLine
        var position: LogPosition
        var at: Int64?
        /// By which it is compared with other logs' lines.
        var key: Int64
    }

    /// The lines of one log from a place on backwards.
    private struct Tail {
        private let source: LogSource
        private var clock: LineClock?
        private let zone: LineClock.Zone
        private var position: LogPosition?
        /// Oldest first: the next one is the last.
        private var lines: [Waiting] = []
        private var hasBegun = false
        private var isAtBegin = false
        private(set) var begin: LogCursor.Place
        private(set) var end: LogCursor.Place

        init(_ source: LogSource, _ place: LogCursor.Place?, zone: LineClock.Zone) {
            self.source = source
            self.zone = zone
            position = place?.position
            clock = place.map { LineClock($0.seconds * 1_000, zone: zone) }
            begin = LogCursor.Place(
                key: source.key, position: LogPosition(offset: 0, inode: 0), seconds: 0)
            end = begin
        }

        var key: Int64? { lines.last?.key }
        var isExhausted: Bool { lines.isEmpty && isAtBegin }

        mutating func fill() throws(LogReadingError) {
            guard lines.isEmpty, !isAtBegin else { return }
            let page = try source.linesBefore(
                position, LogPageLimits(lineCount: stepLineCount, byteCount: stepByteCount))
            position = page.begin
            isAtBegin = page.isLast
            var clock = clock ?? LineClock(page.writtenAt * 1_000, zone: zone)
            if !hasBegun {
                hasBegun = true
                begin = LogCursor.Place(
                    key: source.key, position: page.end, seconds: clock.latest / 1_000)
                end = begin
            }
            var found: [Waiting] = []
            /// Lines that stay behind one that is yet to come.
            var followerCount = 0
            for line in page.lines.reversed() {
                let at = LineStamp(line.bytes).map { clock.backwards($0) }
                let position = LogPosition(offset: line.offset, inode: page.end.inode)
                found.append(
                    Waiting(line: line, position: position, at: at, key: clock.latest))
                guard at != nil else {
                    followerCount += 1
                    continue
                }
                for index in found.indices.suffix(followerCount + 1) {
                    found[index].key = clock.latest
                }
                followerCount = 0
            }
            if followerCount > 0, followerCount < found.count, !page.isLast {
                // The line that they stay behind is not in this page. They are read with it.
                found.removeLast(followerCount)
                position = found.last?.position
                isAtBegin = false
            }
            self.clock = clock
            lines = found.reversed()
        }

        mutating func take() -> MergedLine {
            let next = lines.removeLast()
            begin.position = next.position
            begin.seconds = next.key / 1_000
            return MergedLine(
                source: source, text: next.line.text, cursor: LogCursor([begin]), at: next.at)
        }
    }

    /// The lines of one log from a place on.
    private struct Head {
        private let source: LogSource
        private var lines: ArraySlice<Waiting> = []
        private(set) var isLast: Bool
        private(set) var begin: LogCursor.Place
        private(set) var end: LogCursor.Place
        private(set) var skippedByteCount: Int64
        let hasUnfinishedLine: Bool
        private let pageEnd: LogPosition

        init(
            _ source: LogSource, _ place: LogCursor.Place?, zone: LineClock.Zone, count: Int,
            _ limit: Int?
        ) throws(LogReadingError) {
            self.source = source
            var skipped: Int64 = 0
            var position = place?.position
            if let limit, let given = position,
                try source.endOffset() - given.offset > Int64(limit)
            {
                let last = try source.linesBefore(
                    nil, LogPageLimits(lineCount: .max, byteCount: limit))
                skipped = max(last.begin.offset - given.offset, 0)
                position = last.begin
            }
            let page = try source.linesAfter(
                position, LogPageLimits(lineCount: count, byteCount: stepByteCount),
                skipping: limit != nil)
            skippedByteCount = skipped + page.skippedByteCount
            isLast = page.isLast
            pageEnd = page.end
            hasUnfinishedLine = page.hasUnfinishedLine
            var clock = LineClock((place?.seconds ?? page.writtenAt) * 1_000, zone: zone)
            begin = LogCursor.Place(
                key: source.key, position: page.begin, seconds: clock.latest / 1_000)
            end = begin
            var found: [Waiting] = []
            for line in page.lines {
                let at = LineStamp(line.bytes).map { clock.forwards($0) }
                let position = LogPosition(offset: line.offset, inode: page.end.inode)
                found.append(
                    Waiting(line: line, position: position, at: at, key: clock.latest))
            }
            lines = found[...]
            if found.isEmpty { end.position = page.end }
        }

        var key: Int64? { lines.first?.key }

        mutating func take() -> MergedLine {
            let line = lines.removeFirst()
            end.position = lines.first?.position ?? pageEnd
            end.seconds = line.key / 1_000
            let place = LogCursor.Place(
                key: source.key, position: line.position, seconds: line.key / 1_000)
            return MergedLine(
                source: source, text: line.line.text, cursor: LogCursor([place]), at: line.at)
        }
    }
}

extension LogSource {
    fileprivate func endOffset() throws(LogReadingError) -> Int64 {
        do throws(FileSystemError) {
            return try LogFiles.position(path: path, lastLines: 0, owners: logs.owners).offset
        } catch {
            throw .file(error)
        }
    }

    func linesBefore(
        _ position: LogPosition?, _ limits: LogPageLimits
    ) throws(LogReadingError) -> LogPage {
        do throws(LogPageError) {
            return try LogFiles.linesBefore(position, path: path, limits, owners: logs.owners)
        } catch {
            throw LogReadingError(error)
        }
    }

    func linesAfter(
        _ position: LogPosition?, _ limits: LogPageLimits, skipping: Bool
    ) throws(LogReadingError) -> LogPage {
        do throws(LogPageError) {
            return try LogFiles.linesAfter(
                position, path: path, limits, skipping: skipping, owners: logs.owners)
        } catch {
            throw LogReadingError(error)
        }
    }
}

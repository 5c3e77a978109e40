internal import Supervisor

/// What is searched for.
package struct LogQuery: Sendable {
    package var program: LineProgram
    /// Milliseconds since 1970, both included.
    package var from: Int64?
    package var to: Int64?
    /// How many matches are wanted.
    package var limit: Int

    package init(_ program: LineProgram, from: Int64? = nil, to: Int64? = nil, limit: Int) {
        self.program = program
        self.from = from
        self.to = to
        self.limit = limit
    }
}

/// A search in logs, from their ends to their begins, in steps that each take some milliseconds.
///
/// The log with the newest lines is searched first. A line without a time counts with the next line
/// that has one, or with the log's last write.
package struct LogSearch: Sendable {
    package struct Limits: Equatable, Sendable {
        /// How long all matches are together, about, at most. Default: 2 MiB.
        package var matchByteCount = 2 << 20
        /// What a search reads at most. Default: 64 MiB.
        package var byteCount = 64 << 20
        /// What matching may cost at most, see ``LineMatcher/workCount``. Default: some seconds.
        package var workCount = 100_000_000
        /// What is read of one log in a step. Default: 1 MiB.
        package var stepByteCount = 1 << 20

        package init() {}
    }

    /// Why a search has ended before everything was searched.
    package enum Stop: String, Equatable, Sendable {
        /// So many matches as were wanted, or as fit into an answer, have been found.
        case limit
        case bytes
        /// The pattern costs too much.
        case work
        /// Somebody has ended it.
        case cancelled
    }

    private struct Tail {
        var source: LogSource
        var position: LogPosition?
        var clock: LineClock?
        var isGiven: Bool
    }

    private struct Match {
        var line: MergedLine
        var key: Int64
    }

    private let query: LogQuery
    private let limits: Limits
    private let zone: LineClock.Zone
    private var matcher: LineMatcher
    private var tails: [Tail]
    private var found: [Match] = []
    private var matchByteCount = 0
    package private(set) var searchedByteCount = 0
    package private(set) var stop: Stop?

    /// - Parameter cursor: where an earlier search has ended; `nil` for the logs' ends.
    package init(
        _ query: LogQuery, in sources: [LogSource], from cursor: LogCursor? = nil,
        limits: Limits = Limits(), zone: LineClock.Zone = .local
    ) throws(LogReadingError) {
        self.query = query
        self.limits = limits
        self.zone = zone
        matcher = LineMatcher(query.program)
        let chosen = cursor.map { cursor in sources.filter { cursor.place($0) != nil } } ?? sources
        guard !chosen.isEmpty || sources.isEmpty else { throw .otherLogs }
        tails = chosen.map { source in
            let place = cursor?.place(source)
            return Tail(
                source: source, position: place?.position,
                clock: place.map { LineClock($0.seconds * 1_000, zone: zone) },
                isGiven: place != nil)
        }
    }

    package var isFinished: Bool { stop != nil || tails.isEmpty }

    /// Whether everything was searched.
    package var isComplete: Bool { tails.isEmpty }

    /// Oldest first.
    package var matches: [MergedLine] {
        found.enumerated().sorted {
            ($0.element.key, -$0.offset) < ($1.element.key, -$1.offset)
        }.map(\.element.line)
    }

    /// Where to go on; `nil` when everything was searched.
    package var rest: LogCursor? {
        guard !tails.isEmpty else { return nil }
        return LogCursor(
            tails.map { tail in
                LogCursor.Place(
                    key: tail.source.key,
                    position: tail.position ?? LogPosition(offset: 0, inode: 0),
                    seconds: (tail.clock?.latest ?? 0) / 1_000)
            })
    }

    package mutating func cancel() { stop = stop ?? .cancelled }

    /// Searches a part of one log. It blocks.
    package mutating func step() throws(LogReadingError) {
        guard !isFinished else { return }
        var index = 0
        for candidate in tails.indices where isNewer(candidate, than: index) { index = candidate }
        let page: LogPage
        do throws(LogReadingError) {
            page = try tails[index].source.linesBefore(
                tails[index].position,
                LogPageLimits(lineCount: .max, byteCount: limits.stepByteCount))
        } catch {
            guard error == .gone, !tails[index].isGiven else { throw error }
            // The rest has been rotated away meanwhile.
            tails.remove(at: index)
            return
        }
        tails[index].isGiven = false
        searchedByteCount += page.readByteCount
        search(page, index)
        guard stop == nil else { return }
        if searchedByteCount >= limits.byteCount, !tails.isEmpty { stop = .bytes }
    }

    /// A log whose newest line is not known is looked at first.
    private func isNewer(_ left: Int, than right: Int) -> Bool {
        tails[left].clock?.latest ?? .max > tails[right].clock?.latest ?? .max
    }

    private mutating func search(_ page: LogPage, _ index: Int) {
        let source = tails[index].source
        var clock = tails[index].clock ?? LineClock(page.writtenAt * 1_000, zone: zone)
        var begin = page.begin
        for line in page.lines.reversed() {
            let at = LineStamp(line.bytes).map { clock.backwards($0) }
            if isBeforeRange(clock.latest) {
                tails.remove(at: index)
                return
            }
            guard isInRange(clock.latest), matcher.matches(Self.valid(line.bytes)) else {
                guard matcher.workCount >= limits.workCount else { continue }
                stop = .work
                begin.offset = line.offset
                break
            }
            let place = LogCursor.Place(
                key: source.key, position: LogPosition(offset: line.offset, inode: begin.inode),
                seconds: clock.latest / 1_000)
            let match = MergedLine(
                source: source, text: line.text, cursor: LogCursor([place]), at: at)
            found.append(Match(line: match, key: clock.latest))
            matchByteCount += match.text.utf8.count
            if found.count >= query.limit || matchByteCount >= limits.matchByteCount {
                // Whether there is one more is not known.
                stop = .limit
                begin.offset = line.offset
                break
            }
        }
        tails[index].clock = clock
        tails[index].position = begin
        guard page.isLast, begin == page.begin else { return }
        tails.remove(at: index)
        if tails.isEmpty { stop = nil }
    }

    private func isInRange(_ time: Int64) -> Bool {
        (query.from.map { time >= $0 } ?? true) && (query.to.map { time <= $0 } ?? true)
    }

    /// Whether nothing that comes before this time can be wanted. Lines may be a little out of
    /// order.
    private func isBeforeRange(_ time: Int64) -> Bool {
        query.from.map { time < $0 - 60_000 } ?? false
    }

    /// The line with what is not UTF-8 replaced.
    private static func valid(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        if line.allSatisfy({ $0 < 0x80 }) { return line.last == 0x0D ? line.dropLast() : line }
        return Array(String(decoding: line, as: UTF8.self).utf8)[...]
    }
}

import Foundation
import Glibc
import TestKit
import Testing

@testable import Dashboard
@testable import Supervisor

/// Logs of two instances, with real files.
private struct Logs {
    let folder = TemporaryFolder()

    func source(_ instance: Int, _ stream: LogFiles.Stream = .stdout) -> LogSource {
        let logs = LogFiles(root: folder.path)
        return LogSource(
            instance: instance, stream: stream,
            path: folder("app-\(instance)-\(stream.rawValue).log"), logs: logs)
    }

    func append(_ lines: [String], to source: LogSource) {
        let text = lines.map { $0 + "\n" }.joined()
        let raw = open(source.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        defer { close(raw) }
        #expect(write(raw, text, text.utf8.count) == text.utf8.count)
    }
}

@Suite(.timeLimit(.minutes(1))) struct LogMergeTests {
    private let logs = Logs()

    private func texts(_ lines: [MergedLine]) -> [String] {
        lines.map { "\($0.source.instance ?? 0): \($0.text)" }
    }

    /// All lines, in pages from the end.
    private func backwards(_ sources: [LogSource], count: Int) throws -> [String] {
        var all: [String] = []
        var cursor: LogCursor?
        repeat {
            let page = try LogMerge.before(cursor, of: sources, count: count, zone: Self.zone)
            all = texts(page.lines) + all
            cursor = page.before.flatMap { LogCursor($0.text) }
        } while cursor != nil
        return all
    }

    private static let zone = LineClock.Zone.fixed(milliseconds: 7_200_000)

    @Test(arguments: [1, 2, 3, 100])
    func `lines of two logs are in the order of their times, across midnight`(_ count: Int)
        throws
    {
        let (one, two) = (logs.source(1), logs.source(2))
        logs.append(
            [
                "no time yet", "23:59:58.000 [info] a", "  of a", "23:59:59.500 [info] c",
                "00:00:02.000 [info] e",
            ], to: one)
        logs.append(["23:59:59.000 [info] b", "00:00:01.000 [info] d", "  of d"], to: two)
        #expect(
            try backwards([one, two], count: count) == [
                "1: no time yet", "1: 23:59:58.000 [info] a", "1:   of a",
                "2: 23:59:59.000 [info] b", "1: 23:59:59.500 [info] c",
                "2: 00:00:01.000 [info] d", "2:   of d", "1: 00:00:02.000 [info] e",
            ])
    }

    @Test func `lines without a time stay with theirs where reading is cut between them`()
        throws
    {
        let (one, two) = (logs.source(1), logs.source(2))
        var wanted: [String] = []
        for number in 0..<1_000 {
            let even = LogTimestamp(milliseconds: Int64(2_000 * number))
            let odd = LogTimestamp(milliseconds: Int64(2_000 * number + 1_000))
            let group = ["\(even) a", "  of a", "  of a, too"]
            logs.append(group, to: one)
            logs.append(["\(odd) b"], to: two)
            wanted += group.map { "1: \($0)" } + ["2: \(odd) b"]
        }
        #expect(try backwards([one, two], count: 5_000) == wanted)
        #expect(try backwards([one, two], count: 1_001) == wanted)
    }

    @Test func `a cursor of a page goes on forwards where the page ended`() throws {
        let (one, two) = (logs.source(1), logs.source(2))
        logs.append(["2026-01-01T00:00:01Z a"], to: one)
        logs.append(["2026-01-01T00:00:02Z b"], to: two)
        let page = try LogMerge.before(nil, of: [one, two], count: 10)
        #expect(page.before == nil)
        logs.append(["2026-01-01T00:00:04Z d"], to: one)
        logs.append(["2026-01-01T00:00:03Z c", "2026-01-01T00:00:05Z e"], to: two)
        let first = try LogMerge.after(page.after, of: [one, two], count: 2)
        #expect(texts(first.lines) == ["2: 2026-01-01T00:00:03Z c", "1: 2026-01-01T00:00:04Z d"])
        #expect(!first.isLast)
        let second = try LogMerge.after(first.after, of: [one, two], count: 2)
        #expect(texts(second.lines) == ["2: 2026-01-01T00:00:05Z e"])
        #expect(second.isLast)
        let back = try LogMerge.before(second.before, of: [one, two], count: 2)
        #expect(texts(back.lines) == texts(first.lines))
    }

    @Test func `the link to a line shows that line and what is around it in its log`() throws {
        let (one, two) = (logs.source(1), logs.source(2))
        logs.append((1...9).map { "line \($0)" }, to: one)
        logs.append(["other"], to: two)
        let page = try LogMerge.before(nil, of: [one, two], count: 100)
        let line = try #require(page.lines.first { $0.text == "line 5" })
        let cursor = try #require(LogCursor(line.cursor.text))
        let after = try LogMerge.after(cursor, of: [one, two], count: 2)
        #expect(texts(after.lines) == ["1: line 5", "1: line 6"])
        let before = try LogMerge.before(cursor, of: [one, two], count: 2)
        #expect(texts(before.lines) == ["1: line 3", "1: line 4"])
        #expect(throws: LogReadingError.otherLogs) {
            try LogMerge.after(cursor, of: [two], count: 2)
        }
    }

    @Test func `a follower that is far behind skips, and is told how much`() throws {
        let one = logs.source(1)
        logs.append(["first"], to: one)
        let end = try LogMerge.end(of: [one])
        logs.append((0..<20_000).map { "line \($0)" }, to: one)
        let page = try LogMerge.after(end, of: [one], count: 1_000, skippingBeyond: 4_096)
        #expect(page.skippedByteCount > 100_000)
        #expect(page.lines.last?.text == "line 19999")
        #expect(page.lines.count > 100)
        let next = try LogMerge.after(page.after, of: [one], count: 10, skippingBeyond: 4_096)
        #expect(next.lines.isEmpty && next.skippedByteCount == 0)
    }

    @Test func `a cursor's text is what it was, and no other text is a cursor`() throws {
        let place = LogCursor.Place(
            key: "12e", position: LogPosition(offset: .max, inode: .max), seconds: 1_700_000_000)
        let cursor = LogCursor([
            place,
            LogCursor.Place(
                key: "do", position: LogPosition(offset: 0, inode: 0), seconds: 0),
        ])
        #expect(LogCursor(cursor.text) == cursor)
        for text in [
            "", "1o", "1o.1.2", "1o.-1.2.3", "1o.1.2.3~", "1o.1.2.3~1o.1.2.3", "1o.+1.2.3.4",
            "1o.zzzzzzzzzzzzz.0.0", "1o.1.2.-3", String(repeating: "1o.1.2.3~", count: 65),
            "1o.1.2.zzzzzzzzzzz",
        ] {
            #expect(LogCursor(text) == nil, "\(text)")
        }
    }
}

@Suite struct LineClockTests {
    private func stamp(_ text: String) -> LineStamp? { LineStamp(Array(text.utf8)[...]) }

    @Test(arguments: [
        ("12:34:56.789 [info] x", LineStamp.timeOfDay(45_296_789)),
        ("\u{1B}[36m[\u{1B}[0m12:34:56,7 x", .timeOfDay(45_296_700)),
        ("2026-03-01T12:00:00.042Z [info]", .moment(1_772_366_400_042)),
        ("2026-03-01T12:00:00.042123+02:00 x", .moment(1_772_359_200_042)),
        ("2026-03-01 12:00:00-0130", .moment(1_772_371_800_000)),
        ("2026-03-01 12:00:00 x", .localMoment(1_772_366_400_000)),
        ("1970-01-01T00:00:00Z", .moment(0)), ("2024-02-29T00:00:00Z", .moment(1_709_164_800_000)),
    ])
    func `a time at a line's begin is understood`(_ text: String, _ wanted: LineStamp) {
        #expect(stamp(text) == wanted)
    }

    @Test(arguments: [
        "", "12:34:56 x", "25:00:00.000", "x 12:34:56.789", "2026-13-01T00:00:00Z",
        "2026-03-01", "12:34:56.", "\u{1B}[36", "9999999999",
    ])
    func `what is no time is none`(_ text: String) {
        #expect(stamp(text) == nil)
    }

    @Test func `days are counted from the last write backwards`() {
        let noon: Int64 = 1_772_366_400_000
        var clock = LineClock(noon, zone: .fixed(milliseconds: 0))
        let hour: Int64 = 3_600_000
        #expect(clock.backwards(.timeOfDay(11 * hour)) == noon - hour)
        #expect(clock.backwards(.timeOfDay(11 * hour + 1)) == noon - hour + 1, "a little disorder")
        #expect(clock.backwards(.timeOfDay(13 * hour)) == noon - 23 * hour)
        #expect(clock.backwards(.timeOfDay(20 * hour)) == noon - 40 * hour)
        #expect(clock.forwards(.timeOfDay(13 * hour)) == noon - 23 * hour)
        #expect(clock.forwards(.timeOfDay(11 * hour)) == noon - hour)
        var east = LineClock(noon, zone: .fixed(milliseconds: 2 * hour))
        #expect(east.backwards(.timeOfDay(13 * hour)) == noon - hour)
    }

    @Test func `a clock far from any time does not trap`() {
        for latest in [Int64.min, .max, 0] {
            var clock = LineClock(latest, zone: .local)
            _ = clock.backwards(.timeOfDay(0))
            _ = clock.forwards(.timeOfDay(86_399_999))
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct LogSearchTests {
    private let logs = Logs()

    private func query(
        _ pattern: String, from: Int64? = nil, to: Int64? = nil, limit: Int = 1_000
    ) throws -> LogQuery {
        LogQuery(
            try LineProgram(LinePattern(parsing: pattern)), from: from, to: to, limit: limit)
    }

    private func run(_ search: LogSearch) throws -> LogSearch {
        var search = search
        while !search.isFinished { try search.step() }
        return search
    }

    @Test func `every match in all logs is found, over rotated pieces`() throws {
        let (one, two) = (logs.source(1), logs.source(2))
        logs.append((0..<60_000).map { "line \($0) of one" }, to: one)
        logs.append((0..<5_000).map { "line \($0) of two" }, to: two)
        // As FileLog rotates.
        rename(one.path, one.path + ".000000000000000")
        logs.append(["line 60000 of one"], to: one)
        let search = try run(LogSearch(query("^line \\d*000 "), in: [one, two]))
        #expect(search.isComplete && search.stop == nil && search.rest == nil)
        let found = search.matches.map(\.text)
        #expect(Set(found).count == found.count)
        let wanted =
            (1...60).map { "line \($0)000 of one" } + (1...4).map { "line \($0)000 of two" }
        #expect(Set(found) == Set(wanted))
        #expect(found.filter { $0.hasSuffix("one") } == Array(wanted.prefix(60)))
    }

    @Test func `a search that reaches its limit goes on where it ended`() throws {
        let (one, two) = (logs.source(1), logs.source(2, .stderr))
        logs.append((0..<3_000).map { "hit \($0) of one" }, to: one)
        logs.append((0..<3_000).map { "hit \($0) of two" }, to: two)
        var found: [String] = []
        var cursor: LogCursor?
        var limits = LogSearch.Limits()
        limits.stepByteCount = 3_000
        var stops: Set<LogSearch.Stop> = []
        repeat {
            limits.byteCount = found.count < 1_000 ? 64 << 20 : 5_000
            let search = try run(
                LogSearch(query("hit", limit: 700), in: [one, two], from: cursor, limits: limits))
            found += search.matches.map(\.text)
            if let stop = search.stop { stops.insert(stop) }
            #expect(search.isComplete == (search.rest == nil))
            cursor = search.rest.flatMap { LogCursor($0.text) }
        } while cursor != nil
        #expect(found.count == 6_000)
        #expect(Set(found).count == 6_000)
        #expect(stops == [.limit, .bytes])
    }

    @Test func `an answer has few long matches, and the search goes on behind them`() throws {
        let one = logs.source(1)
        logs.append((0..<20).map { "hit \($0)" + String(repeating: "x", count: 1_000) }, to: one)
        var limits = LogSearch.Limits()
        limits.matchByteCount = 3_000
        var search = try run(LogSearch(query("hit"), in: [one], limits: limits))
        #expect(search.matches.count == 3 && search.stop == .limit)
        search = try run(LogSearch(query("hit"), in: [one], from: search.rest, limits: limits))
        #expect(search.matches.last?.text.hasPrefix("hit 16") == true)
    }

    @Test func `a pattern that costs too much ends the search, which can go on`() throws {
        let one = logs.source(1)
        logs.append((0..<2_000).map { "abcabcabc \($0)" }, to: one)
        var limits = LogSearch.Limits()
        limits.workCount = 5_000
        let query = try query("(a|b|c){5,90}x", limit: 10)
        var search = try run(LogSearch(query, in: [one], limits: limits))
        #expect(search.stop == .work && !search.isComplete)
        var turns = 1
        while let rest = search.rest {
            search = try run(LogSearch(query, in: [one], from: rest, limits: limits))
            turns += 1
        }
        #expect(turns > 3)
    }

    @Test func `a time range is kept, and what is older is not read`() throws {
        let one = logs.source(1)
        let begin: Int64 = 1_767_225_600
        func time(_ minute: Int) -> String {
            "2026-01-01T\(minute / 60 < 10 ? "0" : "")\(minute / 60):"
                + "\(minute % 60 < 10 ? "0" : "")\(minute % 60):00Z"
        }
        logs.append(
            (0..<1_440).map { "\(time($0)) line" + String(repeating: "x", count: 200) }, to: one)
        var limits = LogSearch.Limits()
        limits.stepByteCount = 4_096
        let search = try run(
            LogSearch(
                query("line", from: (begin + 80_000) * 1_000, to: (begin + 80_600) * 1_000),
                in: [one], limits: limits))
        #expect(search.isComplete)
        let found = search.matches.map { $0.text.prefix(16) }
        #expect(found.first == "2026-01-01T22:14" && found.last == "2026-01-01T22:23")
        #expect(found.count == 10)
        #expect(search.searchedByteCount < 50_000)
    }

    @Test func `bytes that are not UTF-8 are searched as they are shown`() throws {
        let one = logs.source(1)
        let raw = open(one.path, O_WRONLY | O_CREAT, 0o640)
        #expect(write(raw, [0x61, 0xFF, 0x62, 0x0A] as [UInt8], 4) == 4)
        close(raw)
        let search = try run(LogSearch(query("^a.b$"), in: [one]))
        #expect(search.matches.map(\.text) == ["a\u{FFFD}b"])
    }
}

import Glibc
import TestKit
import Testing

@testable import Supervisor

/// Whole lines of a log, read in pages from either end.
@Suite(.timeLimit(.minutes(2))) struct LogPageTests {
    private func texts(_ page: LogPage) -> [String] { page.lines.map(\.text) }

    /// All lines, in pages from the end to the begin.
    private func backwards(
        _ path: String, _ limits: LogPageLimits, between: () throws -> Void = {}
    ) throws -> [String] {
        var all: [String] = []
        var position: LogPosition?
        while true {
            let page = try LogFiles.linesBefore(position, path: path, limits)
            all = texts(page) + all
            if page.isLast { return all }
            #expect(page.begin != page.end, "A page goes on")
            position = page.begin
            try between()
        }
    }

    private func forwards(_ path: String, _ limits: LogPageLimits) throws -> [String] {
        var all: [String] = []
        var position: LogPosition?
        while true {
            let page = try LogFiles.linesAfter(position, path: path, limits)
            all += texts(page)
            if page.isLast { return all }
            position = page.end
        }
    }

    private static let limits = [
        LogPageLimits(lineCount: 1, byteCount: 1 << 20),
        LogPageLimits(lineCount: 401, byteCount: 1 << 20),
        LogPageLimits(lineCount: 1_000, byteCount: 3_001),
        LogPageLimits(lineCount: 1_000_000, byteCount: 1 << 20),
    ]

    @Test(arguments: LogWorld.Place.allCases, limits)
    func `pages from either end are all that was written, over rotated pieces`(
        _ place: LogWorld.Place, _ limits: LogPageLimits
    ) throws {
        let world = LogWorld(place)
        let count = limits.lineCount == 1 ? 600 : 200_000
        world.append(LogWorld.lines(count))
        _ = try world.rotation.rotate()
        world.append(Array("the end\n\n".utf8))
        #expect(try world.names().count > (limits.lineCount == 1 ? 0 : 3))
        let written = String(decoding: try world.everything(), as: UTF8.self)
            .dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(try backwards(world.path, limits) == written)
        #expect(try forwards(world.path, limits) == written)
    }

    @Test func `a page goes on after a rotation where it was`() throws {
        let world = LogWorld()
        world.append(LogWorld.lines(150_000))
        let written = String(decoding: try world.everything(), as: UTF8.self)
            .split(separator: "\n").map(String.init)
        var turn = 0
        let read = try backwards(world.path, LogPageLimits(lineCount: 4_000, byteCount: 1 << 20)) {
            turn += 1
            if turn == 1 { _ = try world.rotation.rotate() }
            if turn == 2 {
                world.append(LogWorld.lines(100_000, from: 1_000_000))
                _ = try world.rotation.rotate()
            }
        }
        #expect(turn > 2)
        #expect(read == written)
    }

    @Test func `a position that was rotated away is gone, or skipped if that is wanted`() throws {
        let world = LogWorld()
        world.append(LogWorld.lines(300_000))
        let limits = LogPageLimits(lineCount: 1, byteCount: 1 << 20)
        let first = try LogFiles.linesAfter(nil, path: world.path, limits).end
        var few = LogRotation(
            path: world.path,
            limits: LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 1))
        few.onStep = { _ in }
        _ = try few.rotate()
        #expect(throws: LogPageError.gone) {
            try LogFiles.linesBefore(first, path: world.path, limits)
        }
        #expect(throws: LogPageError.gone) {
            try LogFiles.linesAfter(first, path: world.path, limits)
        }
        let page = try LogFiles.linesAfter(first, path: world.path, limits, skipping: true)
        #expect(page.skippedByteCount > 0)
        #expect(page.begin.offset == first.offset + page.skippedByteCount)
    }

    @Test func `a log that was removed and made again is another one`() throws {
        let world = LogWorld()
        world.append(LogWorld.lines(1_000))
        let limits = LogPageLimits(lineCount: 3, byteCount: 1 << 20)
        let position = try LogFiles.linesBefore(nil, path: world.path, limits).begin
        // The old file is kept open, so that the new one cannot have its number.
        let old = open(world.path, O_RDONLY)
        defer { close(old) }
        unlink(world.path)
        world.append(LogWorld.lines(2_000, from: 5_000))
        #expect(throws: LogPageError.gone) {
            try LogFiles.linesBefore(position, path: world.path, limits)
        }
        let page = try LogFiles.linesAfter(position, path: world.path, limits, skipping: true)
        #expect(texts(page) == ["line 5000", "line 5001", "line 5002"])
    }

    @Test func `a long line is cut, visibly, and its neighbours are whole`() throws {
        let world = LogWorld()
        let long = String(repeating: "x", count: 1 << 20)
        world.append(Array("first\n\(long)\nlast\r\n".utf8))
        let limits = LogPageLimits(lineCount: 100, byteCount: 4 << 20)
        let kept = LogLine.maximumByteCount
        let wanted = [
            "first", long.prefix(kept) + " [… \((1 << 20) - kept) more bytes]", "last",
        ]
        #expect(try texts(LogFiles.linesBefore(nil, path: world.path, limits)) == wanted)
        #expect(try texts(LogFiles.linesAfter(nil, path: world.path, limits)) == wanted)
    }

    @Test func `a line longer than a page comes in parts, and reading goes on`() throws {
        let world = LogWorld()
        world.append(Array("first\n\(String(repeating: "y", count: 10_000))\nlast\n".utf8))
        let limits = LogPageLimits(lineCount: 100, byteCount: 3_000)
        for read in [try backwards(world.path, limits), try forwards(world.path, limits)] {
            #expect(read.first == "first" && read.last == "last")
            #expect(read.dropFirst().dropLast().joined() == String(repeating: "y", count: 10_000))
        }
    }

    @Test func `bytes that are not UTF-8 are replaced`() throws {
        let world = LogWorld()
        world.append([0x61, 0xFF, 0x62, 0x0A])
        let limits = LogPageLimits(lineCount: 1, byteCount: 100)
        #expect(try texts(LogFiles.linesBefore(nil, path: world.path, limits)) == ["a\u{FFFD}b"])
    }

    @Test func `a last line without its end waits until the log is quiet`() throws {
        let world = LogWorld()
        world.append(Array("whole\npar".utf8))
        let limits = LogPageLimits(lineCount: 10, byteCount: 100)
        func set(written seconds: Int) {
            var times = [timespec(), timespec()]
            clock_gettime(CLOCK_REALTIME, &times[0])
            times[0].tv_sec -= seconds
            times[1] = times[0]
            utimensat(AT_FDCWD, world.path, &times, 0)
        }
        // In the future: the test may be slow.
        set(written: -600)
        for page in [
            try LogFiles.linesBefore(nil, path: world.path, limits),
            try LogFiles.linesAfter(nil, path: world.path, limits),
        ] {
            #expect(texts(page) == ["whole"])
            #expect(page.end.offset == 6)
        }
        set(written: 600)
        for page in [
            try LogFiles.linesBefore(nil, path: world.path, limits),
            try LogFiles.linesAfter(nil, path: world.path, limits),
        ] {
            #expect(texts(page) == ["whole", "par"])
            #expect(page.end.offset == 9)
        }
    }

    @Test func `of a log that does not exist there are no lines`() throws {
        let world = LogWorld()
        let page = try LogFiles.linesBefore(
            nil, path: world.path, LogPageLimits(lineCount: 10, byteCount: 100))
        #expect(page.lines.isEmpty && page.isLast)
    }
}

@Suite struct LogInstancesTests {
    @Test func `the instances that have logs are found, and nothing else`() throws {
        let folder = TemporaryFolder()
        let logs = LogFiles(root: folder.path)
        #expect(try logs.instances(app: "web") == [])
        try logs.prepare(app: "web")
        for name in [
            "web-2-stdout.log", "web-1-stderr.log", "web-1-stdout.log", "web-10-stdout.log",
            "web-pre-commands.log", "web-3-stdout.log.000000000000000", "web-04-stdout.log",
            "web-0-stdout.log", "web-5-other.log", "other-6-stdout.log", "web--7-stdout.log",
        ] {
            folder.write("x", "web/\(name)")
        }
        #expect(try logs.instances(app: "web") == [1, 2, 10])
    }
}

import Foundation
import TestKit
import Testing

@testable import Supervisor

@Suite struct LogFilesTests {
    let folder = TemporaryFolder()
    let name = InstanceName(app: "counter", number: 1)
    var logs: LogFiles { LogFiles(root: folder.path) }

    @Test func `each stream has a file in the application's folder`() throws {
        #expect(logs.path(name, .stdout) == folder("counter/counter-1-stdout.log"))
        #expect(logs.path(name, .stderr) == folder("counter/counter-1-stderr.log"))
        try logs.prepare(app: "counter")
        #expect(try HostFileSystem().status(folder("counter"))?.mode == 0o750)
        #expect(try LogFiles.tail(path: logs.path(name, .stdout), lines: 5) == [])
    }

    private func tail(_ text: String, _ count: Int) throws -> [String] {
        folder.write(text, "log")
        return try LogFiles.tail(path: folder("log"), lines: count)
    }

    @Test func `the last lines come in order, with or without a last line end`() throws {
        #expect(try tail("a\nb\nc\n", 2) == ["b", "c"])
        #expect(try tail("a\nb\nc", 2) == ["b", "c"])
        #expect(try tail("a\r\nb\r\n", 9) == ["a", "b"])
        #expect(try tail("a\n\n\n", 2) == ["", ""])
        #expect(try tail("\n", 2) == [""])
        #expect(try tail("", 2) == [])
        #expect(try tail("a\n", 0) == [])
        #expect(try tail("a\n", -1) == [])
    }

    @Test func `lines are found across the pieces of a long file`() throws {
        let lines = (0..<40_000).map { "line \($0)" }
        let text = lines.joined(separator: "\n") + "\n"
        for count in [1, 12_000, 40_000, 50_000] {
            #expect(try tail(text, count) == Array(lines.suffix(count)), "\(count)")
        }
    }

    @Test func `no more than a MiB is read`() throws {
        let long = String(repeating: "x", count: 3 << 20)
        let lines = try tail("first\n\(long)\nlast\n", 3)
        #expect(lines.count == 2)
        #expect(lines.last == "last")
        #expect(lines.first?.utf8.count == (1 << 20) - 6)
    }

    @Test func `bytes that are no text do not stop it`() throws {
        try Data([0xFF, 0x0A, 0x61, 0x0A]).write(to: URL(fileURLWithPath: folder("log")))
        #expect(try LogFiles.tail(path: folder("log"), lines: 2) == ["\u{FFFD}", "a"])
    }
}

/// Reading on over what happens to a log.
@Suite struct LogFollowingTests {
    let world = LogWorld()

    private func read(_ position: LogPosition, limit: Int = 1 << 20) throws -> LogChunk {
        try LogFiles.read(path: world.path, from: position, limit: limit)
    }

    private func text(_ chunk: LogChunk) -> String { String(decoding: chunk.bytes, as: UTF8.self) }

    private let begin = LogPosition(offset: 0, inode: 0)

    @Test func `the last lines come from pieces when the log has too few`() throws {
        for place in LogWorld.Place.allCases {
            let world = LogWorld(place)
            let written = LogWorld.lines(200_000)
            world.append(written)
            _ = try world.rotation.rotate()
            let lines = String(decoding: written, as: UTF8.self).split(separator: "\n").map(
                String.init)
            for count in [1, 5, 5_000, 9_000, 100_000] {
                #expect(try LogFiles.tail(path: world.path, lines: count) == lines.suffix(count))
                let position = try LogFiles.position(path: world.path, lastLines: count)
                let byteCount = lines.suffix(count).reduce(0) { $0 + $1.utf8.count + 1 }
                #expect(position.offset == Int64(written.count - byteCount))
            }
        }
    }

    @Test func `nothing is there, then a part of a line, then the rest`() throws {
        #expect(try LogFiles.position(path: world.path, lastLines: 9) == begin)
        var chunk = try read(begin)
        #expect(chunk == LogChunk(bytes: [], next: begin))
        world.append(Array("hal".utf8))
        chunk = try read(chunk.next)
        #expect(text(chunk) == "hal")
        #expect(try read(chunk.next).bytes == [])
        world.append(Array("f\n".utf8))
        chunk = try read(chunk.next, limit: 1)
        #expect(text(chunk) == "f")
        #expect(text(try read(chunk.next, limit: 1)) == "\n")
    }

    @Test func `a log that was cut is read from its beginning`() throws {
        world.append(Array("one\ntwo\n".utf8))
        let end = try read(begin).next
        truncate(world.path, 0)
        var chunk = try read(end)
        #expect(chunk.bytes == [] && chunk.isFromBeginning)
        world.append(Array("three\n".utf8))
        chunk = try read(chunk.next)
        #expect(text(chunk) == "three\n")
        #expect(!chunk.isFromBeginning)
    }

    @Test func `a log that was removed or replaced is read from its beginning`() throws {
        world.append(Array("one\n".utf8))
        let end = try read(begin).next
        rename(world.path, world.path + ".1")
        #expect(try read(end).bytes == [])
        world.append(Array("another\n".utf8))
        let chunk = try read(end)
        #expect(text(chunk) == "another\n")
        #expect(chunk.isFromBeginning)
    }

    @Test func `a follower reads on over a rotation by name`() throws {
        world.append(LogWorld.lines(100_000))
        let some = try read(begin, limit: 99_000)
        try world.rotation.rotateByRename()
        world.append(Array("new\n".utf8))
        let rest = try read(some.next)
        #expect(rest.bytes == Array(LogWorld.lines(100_000)[99_000...]))
        let new = try read(rest.next)
        #expect(text(new) == "new\n")
        #expect(rest.lostByteCount == 0 && !rest.isFromBeginning && !new.isFromBeginning)
    }

    @Test func `what was removed before it was read is counted`() throws {
        let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 1)
        let written = LogWorld.lines(65_536 * 4 - 1_000)
        world.append(written)
        _ = try LogRotation(path: world.path, limits: limits).rotate()
        let chunk = try read(LogPosition(offset: 100, inode: 0))
        #expect(chunk.lostByteCount == 2 * 65_536 - 100)
        #expect(chunk.bytes == Array(written[(2 * 65_536)..<(3 * 65_536)]))
    }
}

/// logrotate's own program beside us, where it is installed.
@Suite(.timeLimit(.minutes(1))) struct LogrotateTests {
    private static let program = "/usr/sbin/logrotate"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: program)))
    func `a log that is left to logrotate is cut and followed on`() throws {
        let world = LogWorld()
        world.folder.write(
            "\(world.path) { size 1\n rotate 3\n copytruncate\n missingok\n nocompress\n }\n",
            "logrotate.conf")
        var followed: [UInt8] = []
        var position = LogPosition(offset: 0, inode: 0)
        for number in 1...4 {
            world.append(LogWorld.lines(1_000 * number, from: number * 1_000))
            var chunk = try LogFiles.read(path: world.path, from: position, limit: 700)
            while !chunk.bytes.isEmpty {
                #expect(!chunk.isFromBeginning)
                followed += chunk.bytes
                chunk = try LogFiles.read(path: world.path, from: chunk.next, limit: 700)
            }
            try ChildProcess.run(
                Self.program, ["-s", world.folder("state"), "-f", world.folder("logrotate.conf")])
            #expect(world.size == 0)
            chunk = try LogFiles.read(path: world.path, from: chunk.next, limit: 700)
            #expect(chunk.isFromBeginning && chunk.bytes.isEmpty)
            position = chunk.next
        }
        #expect(followed == (1...4).flatMap { LogWorld.lines(1_000 * $0, from: $0 * 1_000) })
        #expect(try world.names().filter { $0.hasPrefix("app") }.count == 4)
    }
}

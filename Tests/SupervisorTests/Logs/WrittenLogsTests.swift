import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// Logs that somebody deletes while a process writes to them.
@Suite(.timeLimit(.minutes(1))) struct WrittenLogsTests {
    private let world = LogWorld()
    private let logs = WrittenLogs(owners: TrustedUsers())

    /// What a process does that has the log open.
    private func withWriter(_ body: (_ write: (String) -> Void, _ raw: Int32) throws -> Void) throws
    {
        let raw = open(world.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        try #require(raw >= 0)
        defer { close(raw) }
        try body({ text in _ = text.withCString { write(raw, $0, strlen($0)) } }, raw)
    }

    private var content: String? {
        FileManager.default.contents(atPath: world.path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `a deleted log is made anew, and has what is written from then on`() throws {
        try withWriter { write, raw in
            write("before\n")
            #expect(try logs.look(at: world.path) == .nothing)
            write("seen\n")
            #expect(try logs.look(at: world.path) == .nothing)
            logs.measure(world.path)
            write("between the last look and the end\n")
            #expect(unlink(world.path) == 0)
            write("after\n")
            #expect(try logs.look(at: world.path) == .remade)
            #expect(content == "between the last look and the end\nafter\n")
            #expect(logs.isCopying)
            write("more\n")
            #expect(try logs.look(at: world.path) == .nothing, "told once")
            #expect(content == "between the last look and the end\nafter\nmore\n")
            // Deleted once more.
            #expect(unlink(world.path) == 0)
            write("again\n")
            _ = try logs.look(at: world.path)
            #expect(content == "again\n")
            write("the end\n")
            try logs.finish(world.path)
            #expect(content == "again\nthe end\n")
            #expect(!logs.isCopying)
        }
    }

    @Test func `a quiet process gets its log back as well, and a deleted file gives its room back`()
        throws
    {
        try withWriter { write, raw in
            write("before\n")
            _ = try logs.look(at: world.path)
            #expect(unlink(world.path) == 0)
            #expect(try logs.look(at: world.path) == .remade)
            #expect(content == "")
            let text = String(repeating: "0123456789abcde\n", count: 1 << 16)
            for _ in 0..<8 {
                write(text)
                _ = try logs.look(at: world.path)
            }
            #expect(content?.utf8.count == 8 << 20)
            var status = stat()
            #expect(fstat(raw, &status) == 0)
            #expect(status.st_blocks * 512 < 1 << 20)
        }
    }

    @Test func `of a flood into a deleted log only what is kept is copied, and all of it is freed`()
        throws
    {
        let logs = WrittenLogs(owners: TrustedUsers(), keptByteCount: 1 << 20)
        try withWriter { write, raw in
            _ = try logs.look(at: world.path)
            #expect(unlink(world.path) == 0)
            for number in 1...4 {
                write(String(repeating: "line \(number) of sixteen", count: 1 << 16))
            }
            #expect(try logs.look(at: world.path) == .remade)
            let kept = try #require(content)
            #expect(kept.utf8.count == 1 << 20)
            #expect(kept.hasSuffix("line 4 of sixteen") && !kept.contains("line 3"))
            var status = stat()
            #expect(fstat(raw, &status) == 0)
            #expect(status.st_blocks * 512 < 1 << 20)
        }
    }

    @Test func `a log whose folder was removed is made anew with its folder`() throws {
        let folder = world.folder("app")
        let path = folder + "/app-1-stdout.log"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let raw = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        try #require(raw >= 0)
        defer { close(raw) }
        func say(_ text: String) { _ = text.withCString { write(raw, $0, strlen($0)) } }
        _ = try logs.look(at: path)
        try FileManager.default.removeItem(atPath: folder)
        say("after\n")
        // Something else is in its place: nothing is lost meanwhile, and it is told once.
        world.folder.write("in the way", "app")
        guard case .lost = try logs.look(at: path) else {
            Issue.record("a file is no folder")
            return
        }
        #expect(!logs.isCopying)
        logs.measure(path)
        #expect(try logs.look(at: path) == .nothing)
        say("more\n")
        try FileManager.default.removeItem(atPath: folder)
        #expect(try logs.look(at: path) == .remade)
        #expect(world.folder.text("app/app-1-stdout.log") == "after\nmore\n")
        #expect(logs.isCopying)
        // Once more, while it is being copied.
        try FileManager.default.removeItem(atPath: folder)
        say("again\n")
        #expect(try logs.look(at: path) == .nothing)
        #expect(world.folder.text("app/app-1-stdout.log") == "again\n")
    }

    @Test func `a log that was rotated, cut, renamed or replaced was not deleted`() throws {
        try withWriter { write, _ in
            write(String(repeating: "line\n", count: 40_000))
            _ = try logs.look(at: world.path)
            _ = try world.rotation.rotate()
            logs.measure(world.path)
            #expect(try logs.look(at: world.path) == .nothing)
            #expect(truncate(world.path, 0) == 0)
            #expect(try logs.look(at: world.path) == .nothing)
            #expect(rename(world.path, world.folder("renamed")) == 0)
            #expect(try logs.look(at: world.path) == .nothing)
            #expect(content == nil)
            #expect(!logs.isCopying)
        }
        // Where a link lies in its place, nothing is written through it.
        let other = LogWorld()
        let raw = open(other.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        defer { close(raw) }
        _ = try logs.look(at: other.path)
        #expect(unlink(other.path) == 0)
        other.folder.write("theirs", "target")
        #expect(symlink(other.folder("target"), other.path) == 0)
        _ = "x".withCString { write(raw, $0, 1) }
        guard case .lost = try logs.look(at: other.path) else {
            Issue.record("it is written through a link")
            return
        }
        #expect(try HostFileSystem().read(other.folder("target"), limit: 100).count == 6)
    }

    @Test func `a flood is cut before it is copied, and the numbers of its bytes go on`() throws {
        for place in LogWorld.Place.allCases {
            let world = LogWorld(place)
            let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 3)
            let rotation = LogRotation(path: world.path, limits: limits)
            let written = LogWorld.lines(65_536 * 200)
            world.append(written)
            #expect(try rotation.rotate() == 0, "cut")
            #expect(try world.names().count == 2)
            #expect(try world.everything().count <= 5 * 65_536)
            // When the flood is over, it is rotated as ever.
            #expect(try rotation.rotate() == 4 * 65_536)
            let kept = try world.everything()
            #expect(kept.count >= 3 * 65_536 && kept.count <= 5 * 65_536, "\(kept.count)")
            #expect(kept == Array(written.suffix(kept.count)))
            #expect(
                try LogFiles.position(path: world.path, lastLines: 0).offset
                    == Int64(written.count))
            let chunk = try LogFiles.read(
                path: world.path, from: LogPosition(offset: 0, inode: 0), limit: 100)
            #expect(chunk.lostByteCount == written.count - kept.count)
            #expect(chunk.bytes == Array(kept.prefix(chunk.bytes.count)))
            let more = LogWorld.lines(150_000, from: 9_000_000)
            world.append(more)
            _ = try rotation.rotate()
            let end = try world.everything()
            #expect(end == Array((written + more).suffix(end.count)))
        }
    }
}

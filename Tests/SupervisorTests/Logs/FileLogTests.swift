import Foundation
import Glibc
import TestKit
import Testing

@testable import Supervisor

@Suite(.timeLimit(.minutes(1))) struct FileLogTests {
    let folder = TemporaryFolder()
    var path: String { folder("deployex/deployex-stdout.log") }

    private func text(_ suffix: String = "") -> String? {
        folder.text("deployex/deployex-stdout.log" + suffix)
    }

    @Test func `lines are appended, one line each, in a folder and a file of their own`() throws {
        var log = FileLog(path: path, limits: .off)
        log.write("one")
        log.write("two\nand more\n")
        log.flush()
        log = FileLog(path: path, limits: .off)
        log.write("three")
        log.flush()
        #expect(text() == "one\ntwo | and more\nthree\n")
        #expect(try HostFileSystem().status(folder("deployex"))?.mode == 0o750)
        #expect(try #require(try HostFileSystem().status(path)).mode & ~0o640 == 0)
    }

    @Test func `reopening lets go of a file that somebody has removed`() throws {
        let log = FileLog(path: path, limits: .off)
        log.write("one")
        log.flush()
        var written = stat()
        #expect(stat(path, &written) == 0)
        let inode = written.st_ino
        let holds = {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").contains {
                var opened = stat()
                return fstat(Int32($0) ?? -1, &opened) == 0 && opened.st_ino == inode
                    && opened.st_nlink == 0
            }
        }
        try FileManager.default.removeItem(atPath: path)
        #expect(try holds())
        log.reopen()
        log.flush()
        #expect(try !holds())
        log.write("two")
        log.flush()
        #expect(text() == "two\n")
    }

    @Test func `it is rotated by its name, in pieces that a follower reads on over`() throws {
        let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 3)
        let log = FileLog(path: path, limits: limits)
        var followed: [UInt8] = []
        var position = LogPosition(offset: 0, inode: 0)
        var written: [UInt8] = []
        for number in 0..<300 {
            let line = "\(number) " + String(repeating: "x", count: 1_000)
            log.write(line)
            written += Array((line + "\n").utf8)
            log.flush()
            while true {
                let chunk = try LogFiles.read(path: path, from: position, limit: 10_000)
                #expect(chunk.lostByteCount == 0 && !chunk.isFromBeginning)
                guard !chunk.bytes.isEmpty else { break }
                followed += chunk.bytes
                position = chunk.next
            }
        }
        #expect(followed == written)
        let names = try HostFileSystem().list(folder("deployex"))
        #expect(names.count == 4)
        for name in names {
            let size = try #require(try HostFileSystem().status(folder("deployex/" + name)))
                .byteCount
            #expect(size <= LogLimits.alignment && size > 0)
        }
    }

    @Test func `when somebody renames or removes it, the next line makes a new one`() throws {
        let log = FileLog(path: path, limits: .off)
        log.write("one")
        log.flush()
        rename(path, path + ".1")
        log.write("two")
        log.flush()
        #expect(text(".1") == "one\n")
        #expect(text() == "two\n")
        try FileManager.default.removeItem(atPath: folder("deployex"))
        log.write("three")
        log.flush()
        #expect(text() == "three\n")
    }

    @Test func `what the disk does not take is counted`() throws {
        let log = FileLog(path: path, limits: .off)
        // Every write to it fails with ENOSPC.
        try FileManager.default.createDirectory(
            atPath: folder("deployex"), withIntermediateDirectories: true)
        symlink("/dev/full", path)
        log.write("lost")
        log.flush()
        log.write("lost too")
        log.flush()
        unlink(path)
        log.write("kept")
        log.flush()
        let lines = try #require(text()).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("Z [warning] 2 lines could not be written") == true)
        #expect(lines.last == "kept")
    }

    @Test func `a disk that hangs holds nobody up, and costs a limited amount of memory`() throws {
        // A pipe without room: its reader reads nothing.
        try FileManager.default.createDirectory(
            atPath: folder("deployex"), withIntermediateDirectories: true)
        mkfifo(path, 0o600)
        let reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        let log = FileLog(path: path, limits: .off)
        let line = String(repeating: "x", count: 9_999)
        for _ in 0..<1_000 { log.write(line) }
        log.flush()
        unlink(path)
        log.write("end")
        log.flush()
        let lines = try #require(text()).split(separator: "\n")
        #expect(lines.last == "end")
        let count = lines.first?.split(separator: " ").dropFirst(2).first.flatMap { Int($0) }
        // The pipe holds 64 KiB.
        #expect(try #require(count) >= 990)
    }

    @Test func `times are in UTC with milliseconds`() {
        #expect(LogTimestamp(milliseconds: 0).description == "1970-01-01T00:00:00.000Z")
        #expect(
            LogTimestamp(milliseconds: 1_772_366_400_042).description == "2026-03-01T12:00:00.042Z")
        #expect(LogTimestamp(milliseconds: -1).description == "1969-12-31T23:59:59.999Z")
        #expect(
            abs(LogTimestamp.now.milliseconds - Int64(Date().timeIntervalSince1970 * 1_000)) < 5_000
        )
    }
}

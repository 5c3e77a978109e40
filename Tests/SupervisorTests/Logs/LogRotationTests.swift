import Foundation
import Glibc
import Synchronization
import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite(.timeLimit(.minutes(2))) struct LogRotationTests {
    @Test(arguments: LogWorld.Place.allCases)
    func `pieces and log together are what was written`(_ place: LogWorld.Place) throws {
        let world = LogWorld(place)
        let written = LogWorld.lines(200_000)
        world.append(written)
        #expect(try world.rotation.rotate() == 3 * 65_536)
        #expect(try world.everything() == written)
        #expect(
            try world.names() == [
                "app-1-stdout.log.000000000000000", "app-1-stdout.log.000000000065536",
                "app-1-stdout.log.000000000131072", "app-1-stdout.log",
            ])
        // Nothing to do until there is more.
        #expect(try world.rotation.rotate() == 0)
        let more = LogWorld.lines(100_000, from: 50_000)
        world.append(more)
        #expect(try world.rotation.rotate() == 65_536)
        #expect(try world.everything() == written + more)
    }

    @Test func `the file gets shorter where the file system can, and frees its head elsewhere`()
        throws
    {
        let memory = LogWorld(.memory)
        #expect(try !memory.canShorten())
        memory.append(LogWorld.lines(200_000))
        let size = memory.size
        _ = try memory.rotation.rotate()
        #expect(memory.size == size)
        var status = stat()
        #expect(stat(memory.path, &status) == 0)
        #expect(Int64(status.st_blocks) * 512 <= size - 3 * 65_536 + 4_096)

        let disk = LogWorld(.temporary)
        guard try disk.canShorten() else { return }
        disk.append(LogWorld.lines(200_000))
        _ = try disk.rotation.rotate()
        #expect(disk.size == size - 3 * 65_536)
    }

    @Test func `a log at its limit, none at all, and what is no file are left alone`() throws {
        let world = LogWorld()
        #expect(try world.rotation.rotate() == 0)
        world.append([UInt8](repeating: 65, count: 65_536))
        #expect(try world.rotation.rotate() == 0)
        try world.rotation.rotateByRename()
        #expect(try world.names() == ["app-1-stdout.log"])

        let target = world.folder("elsewhere")
        rename(world.path, target)
        symlink(target, world.path)
        world.append(LogWorld.lines(200_000))
        let size = Int64(LogWorld.lines(200_000).count)
        #expect(try world.rotation.rotate() == 0)
        #expect(try HostFileSystem().status(target)?.byteCount == 65_536 + size)
        unlink(world.path)
        mkfifo(world.path, 0o600)
        #expect(try world.rotation.rotate() == 0)
    }

    @Test(arguments: [2, 100])
    func `where no part of a file can be freed the log is unsupported, however long it is`(
        pieceCount: Int
    ) throws {
        let world = LogWorld()
        let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 2)
        var rotation = LogRotation(path: world.path, limits: limits)
        rotation.freesNoPart = true
        let written = LogWorld.lines(65_536 * pieceCount)
        world.append(written)
        #expect(try rotation.rotate() == nil)
        #expect(try world.names() == ["app-1-stdout.log"])
        #expect(try world.everything() == written)
    }

    @Test func `the oldest pieces go`() throws {
        let world = LogWorld()
        let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 2)
        let written = LogWorld.lines(65_536 * 5 + 100)
        world.append(written)
        _ = try LogRotation(path: world.path, limits: limits).rotate()
        #expect(try world.names().count == 3)
        #expect(try world.everything() == Array(written[(3 * 65_536)...]))
    }

    @Test func `a log that is far too long takes several turns`() throws {
        let world = LogWorld()
        let written = LogWorld.lines(65_536 * 10)
        world.append(written)
        #expect(try world.rotation.rotate() == 8 * 65_536)
        #expect(try world.rotation.rotate() == 2 * 65_536)
        #expect(try world.everything() == written)
    }

    @Test(arguments: LogWorld.Place.allCases, LogRotation.Step.allCases)
    func `killed at any step, the next run finds every byte once`(
        _ place: LogWorld.Place, _ step: LogRotation.Step
    ) throws {
        // Both a text that is everywhere different and one that is everywhere the same, with which
        // looking at the content could not tell what has happened.
        for text in [LogWorld.lines(150_000), [UInt8](repeating: 10, count: 150_000)] {
            for turn in 1...2 {
                let world = LogWorld(place)
                world.append(text)
                let rotation = world.rotation(stoppedAt: step, turn: turn)
                #expect(throws: FileSystemError.stopped) { try rotation.rotate() }
                world.append([1, 2, 3])
                // Followers read on before anybody has cleaned up.
                let chunk = try LogFiles.read(
                    path: world.path, from: LogPosition(offset: 149_990, inode: 0), limit: 100)
                #expect(chunk.bytes == Array(text[149_990...]) + [1, 2, 3])
                try world.rotation.recover()
                #expect(try world.everything() == text + [1, 2, 3])
                #expect(try world.names().allSatisfy { !$0.contains("ing") })
                _ = try world.rotation.rotate()
                #expect(try world.everything() == text + [1, 2, 3])
            }
        }
    }

    @Test func `what was freed in part when the power failed is freed wholly`() throws {
        let world = LogWorld(.memory)
        let written = LogWorld.lines(150_000)
        world.append(written)
        let rotation = world.rotation(stoppedAt: .copyNamed)
        #expect(throws: FileSystemError.stopped) { try rotation.rotate() }
        let log = try #require(try OpenedLog(world.path, isChanged: true))
        try log.free(from: 4_096, count: 8_192)
        try world.rotation.recover()
        #expect(try world.everything() == written)
    }

    @Test func `what somebody else put in the file's place meanwhile is not freed`() throws {
        let world = LogWorld()
        world.append(LogWorld.lines(150_000))
        let rotation = world.rotation(stoppedAt: .copyNamed)
        #expect(throws: FileSystemError.stopped) { try rotation.rotate() }
        let other = LogWorld.lines(150_000, from: 1_000_000)
        truncate(world.path, 0)
        world.append(other)
        try world.rotation.recover()
        #expect(try world.everything() == Array(LogWorld.lines(150_000).prefix(65_536)) + other)
    }

    @Test func `a full disk leaves no copy and loses nothing`() throws {
        let world = LogWorld()
        let written = LogWorld.lines(3 << 20)
        world.append(written)
        let full = FileSystemError.system(SystemError("writing a copy", code: ENOSPC))
        var rotation = LogRotation(path: world.path, limits: LogLimits(fileByteCount: 2 << 20))
        rotation.onStep = { step throws(FileSystemError) in
            if step == .partCopied { throw full }
        }
        #expect(throws: full) { try rotation.rotate() }
        #expect(try world.names() == ["app-1-stdout.log"])
        #expect(try world.everything() == written)
    }

    @Test(arguments: LogWorld.Place.allCases)
    func `a log that nobody writes is rotated by its name`(_ place: LogWorld.Place) throws {
        let world = LogWorld(place)
        let written = LogWorld.lines(200_000)
        world.append(written)
        try world.rotation.rotateByRename()
        #expect(try world.names() == ["app-1-stdout.log.000000000000000"])
        let more = LogWorld.lines(70_000, from: 100_000)
        world.append(more)
        _ = try world.rotation.rotate()
        // Now it has a hole, or has been shortened.
        let hadHole = world.size > 65_536
        try world.rotation.rotateByRename()
        #expect(try world.names().contains("app-1-stdout.log") == !hadHole)
        #expect(try world.everything() == written + more)
        let position = try LogFiles.position(path: world.path, lastLines: 0)
        #expect(position.offset == Int64(written.count + more.count))
    }

    @Test(arguments: LogWorld.Place.allCases)
    func `no line of writers at full speed is lost, doubled or moved`(
        _ place: LogWorld.Place
    ) throws {
        let world = LogWorld(place)
        let (writerCount, lineCount) = (3, 60_000)
        let writers = try (0..<writerCount).map {
            try ChildProcess.writer($0, lineCount, world.path)
        }
        // Without a pause, beside the writers and the follower.
        let rotating = Rotating(world.rotation)
        var follower = LogPosition(offset: 0, inode: 0)
        var followed: [UInt8] = []
        while true {
            let areDone = writers.allSatisfy(\.hasEnded)
            let chunk = try LogFiles.read(path: world.path, from: follower, limit: 10_000)
            try #require(chunk.lostByteCount == 0 && !chunk.isFromBeginning)
            follower = chunk.next
            followed += chunk.bytes
            if areDone, chunk.bytes.isEmpty { break }
        }
        #expect(try rotating.end() > 0)
        let everything = try world.everything()
        let isSame = everything == followed
        #expect(isSame)
        var next = [Int](repeating: 0, count: writerCount)
        for line in everything.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard words.count == 2, let writer = Int(words[0]), let number = Int(words[1]),
                number == next[writer]
            else {
                Issue.record("a broken or misplaced line: \(String(decoding: line, as: UTF8.self))")
                return
            }
            next[writer] += 1
        }
        #expect(next == [Int](repeating: lineCount, count: writerCount))
    }
}

/// Rotates again and again on a thread of its own.
private final class Rotating: Sendable {
    private let isEnding = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    private let result = Guarded<Result<Int, FileSystemError>>(.success(0))

    init(_ rotation: LogRotation) {
        Thread.detachNewThread { [self] in
            var count = 0
            do throws(FileSystemError) {
                while !isEnding.load(ordering: .relaxed) {
                    guard let moved = try rotation.rotate() else { break }
                    count += Int(moved / LogLimits.alignment)
                }
                result.withLock { $0 = .success(count) }
            } catch {
                result.withLock { $0 = .failure(error) }
            }
            ended.signal()
        }
    }

    /// How many pieces were made.
    func end() throws -> Int {
        isEnding.store(true, ordering: .relaxed)
        ended.wait()
        return try result.withLock { $0 }.get()
    }
}

extension ChildProcess {
    /// Appends `NUMBER LINE` a line at a time, as fast as it can.
    fileprivate static func writer(
        _ number: Int, _ lineCount: Int, _ path: String
    ) throws -> ChildProcess {
        let script =
            "i=0; while [ $i -lt \(lineCount) ]; do echo \"\(number) $i\"; i=$((i+1)); done"
        return try ChildProcess("sh", ["-c", script], output: .file(path))
    }
}

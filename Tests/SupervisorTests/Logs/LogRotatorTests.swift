import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite(.timeLimit(.minutes(1))) struct LogRotatorTests {
    let folder = TemporaryFolder()
    let loop: EventLoop
    let notices = Notices()
    let name = InstanceName(app: "app", number: 1)
    var logs: LogFiles { LogFiles(root: folder.path) }
    let limits = LogLimits(fileByteCount: LogLimits.alignment, keptPieceCount: 2)

    final class Notices: Sendable {
        private let all = Guarded<[LogRotationPolicy.Notice]>([])
        func add(_ notice: LogRotationPolicy.Notice) { all.withLock { $0.append(notice) } }
        var list: [LogRotationPolicy.Notice] { all.withLock { $0 } }
    }

    init() throws {
        loop = try .onOwnThread()
        try logs.prepare(app: "app")
    }

    private func rotator(_ limits: LogLimits? = nil) async -> LogRotator {
        let notices = notices
        let rotator = LogRotator(logs: logs, limits: limits ?? self.limits, loop: loop) {
            notices.add($0)
        }
        await rotator.setInstances([name, InstanceName(app: "app", number: 2)])
        return rotator
    }

    private func names() throws -> [String] { try HostFileSystem().list(folder("app")) }

    private func write(_ byteCount: Int, _ stream: LogFiles.Stream = .stdout) throws {
        try Data(LogWorld.lines(byteCount)).write(
            to: URL(fileURLWithPath: logs.path(name, stream)))
    }

    @Test func `both streams of every instance are kept below the limit`() async throws {
        try write(200_000)
        try write(100_000, .stderr)
        let rotator = await rotator()
        await rotator.start()
        try await eventually { try names().count == 5 }
        await rotator.stop()
        #expect(
            try names() == [
                "app-1-stderr.log", "app-1-stderr.log.000000000000000", "app-1-stdout.log",
                "app-1-stdout.log.000000000065536", "app-1-stdout.log.000000000131072",
            ])
        #expect(notices.list == [])
    }

    @Test func `the log of the pre-commands is kept below the limit, too`() async throws {
        let path = logs.preCommandsPath(app: "app")
        try Data(LogWorld.lines(200_000)).write(to: URL(fileURLWithPath: path))
        let rotator = await rotator()
        await rotator.look()
        #expect(
            try names() == [
                "app-pre-commands.log", "app-pre-commands.log.000000000065536",
                "app-pre-commands.log.000000000131072",
            ])
    }

    @Test func `a log that was deleted is made anew, and told of once`() async throws {
        let path = logs.path(name, .stdout)
        let raw = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        defer { close(raw) }
        let rotator = await rotator()
        await rotator.look()
        #expect(unlink(path) == 0)
        _ = "hello".withCString { Glibc.write(raw, $0, 5) }
        for _ in 1...2 { await rotator.look() }
        #expect(try HostFileSystem().read(path, limit: 100) == Array("hello".utf8))
        guard notices.list.count == 1, case .warning(let text) = notices.list[0] else {
            Issue.record("\(notices.list)")
            return
        }
        #expect(text.hasPrefix("\(path) was deleted while its instance writes to it"))
    }

    @Test func `of an instance of which nothing runs a deleted log is no news`() async throws {
        let path = logs.path(name, .stdout)
        let raw = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        defer { close(raw) }
        let rotator = await rotator()
        await rotator.look()
        // What it wrote to a deleted one is copied when it has ended.
        #expect(unlink(path) == 0)
        _ = "hello".withCString { Glibc.write(raw, $0, 5) }
        await rotator.ended(name)
        #expect(try HostFileSystem().read(path, limit: 100) == Array("hello".utf8))
        await rotator.look()
        #expect(unlink(path) == 0)
        await rotator.look()
        #expect(notices.list == [])
        #expect(try HostFileSystem().status(path) == nil)
        // From its next start on it is looked after again.
        await rotator.prepareForStart(name)
        try write(5)
        await rotator.look()
        #expect(unlink(path) == 0)
        await rotator.look()
        #expect(notices.list.count == 1)
    }

    @Test func `a log that was deleted and cannot be made anew is told of once`() async throws {
        let path = logs.path(name, .stdout)
        let raw = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        defer { close(raw) }
        let rotator = await rotator()
        await rotator.look()
        try FileManager.default.removeItem(atPath: folder("app"))
        folder.write("in the way", "app")
        _ = "hello".withCString { Glibc.write(raw, $0, 5) }
        for _ in 1...3 { await rotator.look() }
        guard notices.list.count == 1, case .warning(let text) = notices.list[0] else {
            Issue.record("\(notices.list)")
            return
        }
        #expect(text.hasPrefix("\(path) was deleted while its instance writes to it, and cannot"))
        try FileManager.default.removeItem(atPath: folder("app"))
        await rotator.look()
        #expect(try HostFileSystem().read(path, limit: 100) == Array("hello".utf8))
        #expect(notices.list.count == 2)
    }

    @Test func `what a killed run left is completed at the start`() async throws {
        try write(60_000)
        folder.write("half of a copy", "app/app-1-stdout.log.copying")
        let rotator = await rotator()
        await rotator.start()
        try await eventually { try names() == ["app-1-stdout.log"] }
        await rotator.stop()
    }

    @Test func `before a start a long log is rotated by its name`() async throws {
        try write(200_000)
        let rotator = await rotator()
        await rotator.prepareForStart(name)
        #expect(try names() == ["app-1-stdout.log.000000000000000"])
        #expect(notices.list == [])
    }

    @Test func `without a limit no file is touched`() async throws {
        try write(200_000)
        folder.write("", "app/app-1-stdout.log.copying")
        let rotator = await rotator(.off)
        await rotator.start()
        await rotator.look()
        await rotator.prepareForStart(name)
        await rotator.stop()
        #expect(try names() == ["app-1-stdout.log", "app-1-stdout.log.copying"])
    }

    @Test func `what cannot be rotated is told once, and holds up nothing`() async throws {
        try write(200_000)
        // A folder in the way of the copy.
        try HostFileSystem().makeFolder(logs.path(name, .stdout) + ".copying", mode: 0o700)
        let rotator = await rotator()
        for _ in 0..<3 { await rotator.look() }
        await rotator.prepareForStart(name)
        #expect(notices.list.count == 1)
        guard case .warning(let text) = notices.list.first else {
            Issue.record("no warning")
            return
        }
        #expect(text.hasPrefix("rotating \(logs.path(name, .stdout)) failed"))
    }
}

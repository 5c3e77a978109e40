import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

@Suite struct StoreWatcherTests {
    let folder: TemporaryFolder
    let store: FolderStore
    let loop: EventLoop
    let calls = Calls()
    let watcher: StoreWatcher

    init() throws {
        let folder = TemporaryFolder()
        self.folder = folder
        store = FolderStore(root: folder / "a/root", application: "app", environment: "local")
        loop = try .onOwnThread()
        let calls = calls
        watcher = StoreWatcher(
            of: store, loop: loop, debounce: .milliseconds(20),
            onChange: {
                calls.count.withLock { $0 += 1 }
                calls.total.withLock { $0 += 1 }
            },
            onFailure: { error in calls.failures.withLock { $0.append(error) } })
    }

    /// What the watcher has called.
    final class Calls: Sendable {
        /// Since the last call that was waited for.
        let count = Guarded(0)
        let total = Guarded(0)
        let failures = Guarded<[SystemError]>([])
    }

    var current: String { store.currentPath }
    var environment: String { folder / "a/root/versions/app/local" }

    /// Acts, and waits for the call that must come; then for the end of calls, so that the next one
    /// belongs to the next act.
    func expectCall(
        _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ act: () throws -> Void
    ) async throws {
        try act()
        #expect(await isCalled(within: .seconds(60)), "\(what)", sourceLocation: sourceLocation)
        while await isCalled(within: .milliseconds(100)) {}
    }

    /// Whether a call has come since the last that was waited for, or comes in time.
    func isCalled(within time: Duration) async -> Bool {
        let deadline = ContinuousClock.now + time
        while ContinuousClock.now < deadline {
            if calls.count.withLock({ count in
                defer { count = 0 }
                return count > 0
            }) {
                return true
            }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return false
    }

    @Test func `every way to change the file is told`() async throws {
        try makeFolders(environment)
        await watcher.start()
        try await expectCall("created") { try writeFile([1], to: current) }
        try await expectCall("written") { try writeFile([2], to: current) }
        try await expectCall("replaced") {
            try writeFile([3], to: environment + "/temporary")
            #expect(rename(environment + "/temporary", current) == 0)
        }
        try await expectCall("mode") { #expect(chmod(current, 0o600) == 0) }
        try await expectCall("deleted") { #expect(unlink(current) == 0) }
        try await expectCall("linked") { #expect(symlink("elsewhere", current) == 0) }
        try await expectCall("moved away") {
            #expect(rename(current, environment + "/other") == 0)
        }
        await watcher.stop()
    }

    @Test func `folders that come, go and move are followed`() async throws {
        await watcher.start()
        try await expectCall("all folders and the file") {
            try makeFolders(environment)
            try writeFile([1], to: current)
        }
        try await expectCall("written") { try writeFile([2], to: current) }
        try await expectCall("the folder moved away") {
            #expect(rename(environment, environment + "-old") == 0)
        }
        try await expectCall("another folder with a file") {
            try makeFolders(folder / "other")
            try folder.write([3], to: "other/current.json")
            #expect(rename(folder / "other", environment) == 0)
        }
        try await expectCall("written in the other folder") { try writeFile([4], to: current) }
        try await expectCall("the root deleted") {
            try HostFileSystem().removeTree(folder / "a/root")
        }
        try await expectCall("made once more") {
            try makeFolders(environment)
        }
        try await expectCall("created") { try writeFile([5], to: current) }
        await watcher.stop()
    }

    @Test func `the root may be moved, with what is in it`() async throws {
        try makeFolders(environment)
        await watcher.start()
        try await expectCall("moved") { #expect(rename(folder / "a/root", folder / "a/b") == 0) }
        try await expectCall("moved back") {
            #expect(rename(folder / "a/b", folder / "a/root") == 0)
        }
        try await expectCall("created") { try writeFile([1], to: current) }
        await watcher.stop()
    }

    @Test func `a package is told when it is whole`() async throws {
        let calls = calls
        let watcher = StoreWatcher(
            .packages, of: store, loop: loop, debounce: .milliseconds(20),
            onChange: {
                calls.count.withLock { $0 += 1 }
                calls.total.withLock { $0 += 1 }
            },
            onFailure: { error in calls.failures.withLock { $0.append(error) } })
        await watcher.start()
        let dist = folder / "a/root/dist/app"
        try await expectCall("the folder made") { try makeFolders(dist) }
        let package = dist + "/app-1.0.0.tar.gz"
        let raw = open(package, O_WRONLY | O_CREAT | O_CLOEXEC, 0o640)
        for _ in 0..<10 { #expect(write(raw, "half", 4) == 4) }
        #expect(await !isCalled(within: .milliseconds(150)), "while it is written")
        try await expectCall("closed") { #expect(close(raw) == 0) }
        try await expectCall("renamed") {
            try writeFile([1], to: dist + "/.incoming")
            #expect(rename(dist + "/.incoming", dist + "/app-1.0.1.tar.gz") == 0)
        }
        try await expectCall("linked") {
            #expect(symlink("elsewhere", dist + "/app-1.0.2.tar.gz") == 0)
        }
        try await expectCall("linked hard") {
            #expect(link(package, dist + "/app-1.0.3.tar.gz") == 0)
        }
        try await expectCall("signed") {
            try writeFile([1], to: dist + "/app-1.0.3.tar.gz.minisig")
        }
        // Neither what is no package of it, nor one that goes.
        try writeFile([1], to: dist + "/notes.txt")
        try writeFile([1], to: dist + "/other-1.0.0.tar.gz")
        #expect(unlink(package) == 0)
        #expect(await !isCalled(within: .milliseconds(150)))
        await watcher.stop()
    }

    @Test func `other files are not told, nor anything after the end`() async throws {
        try makeFolders(environment)
        await watcher.start()
        for index in 0..<50 { try writeFile([1], to: environment + "/other\(index)") }
        #expect(await !isCalled(within: .milliseconds(150)))
        await watcher.stop()
        try writeFile([1], to: current)
        #expect(await !isCalled(within: .milliseconds(150)))
    }

    @Test func `a burst of writes is a few calls, never many`() async throws {
        try makeFolders(environment)
        await watcher.start()
        let start = ContinuousClock.now
        for _ in 0..<500 { try writeFile([1], to: current) }
        let elapsed = ContinuousClock.now - start
        #expect(await isCalled(within: .seconds(60)))
        while await isCalled(within: .milliseconds(100)) {}
        #expect(calls.total.withLock { $0 } <= Int(elapsed / .milliseconds(20)) + 2)
        await watcher.stop()
    }

    @Test func `a folder that cannot be watched is told once, and nothing else happens`()
        async throws
    {
        let calls = calls
        // A name longer than any folder can have.
        let long = FolderStore(
            root: folder / String(repeating: "x", count: 300), application: "app",
            environment: "local")
        let watcher = StoreWatcher(
            of: long, loop: loop, onChange: { calls.count.withLock { $0 += 1 } },
            onFailure: { error in calls.failures.withLock { $0.append(error) } })
        await watcher.start()
        #expect(
            calls.failures.withLock { $0 }
                == [SystemError("watching \(long.root)", code: ENAMETOOLONG)])
        await watcher.stop()
    }

    @Test func `cut inotify events are left out`() {
        let event: [UInt8] =
            littleEndian(Int32(7)) + littleEndian(UInt32(0x100)) + littleEndian(UInt32(0))
            + littleEndian(UInt32(4)) + Array("ab".utf8) + [0, 0]
        let wanted = InotifyEvent(watch: 7, mask: 0x100, name: "ab")
        for count in 0..<20 {
            #expect(InotifyEvent.events(in: (event + event)[..<(20 + count)]) == [wanted])
            #expect(InotifyEvent.events(in: event[..<count]) == [])
        }
    }
}

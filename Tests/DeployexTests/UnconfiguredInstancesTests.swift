import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import deployex

@Suite(.timeLimit(.minutes(2))) struct UnconfiguredInstancesTests {
    private actor OnLoop {
        private let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        init(_ loop: EventLoop) { self.loop = loop }

        func stop(_ record: InstanceRecord, of instances: UnconfiguredInstances) async {
            await instances.stop(record)
        }
    }

    @Test func `what is left of an instance whose first process has ended is named and stopped`()
        async throws
    {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let (leader, other) = (
            try ChildProcess("sleep", ["600"]), try ChildProcess("sleep", ["600"])
        )
        let identities = try [leader, other].map {
            try #require(ProcessIdentity.ofRunning(pid: $0.pid))
        }
        let records = InstanceRecordFolder(base: folder.path, fileSystem: HostFileSystem())
        try records.prepare()
        var record = InstanceRecord(name: InstanceName(app: "gone", number: InstanceNumber(1)))
        record.begin(identities[0], version: "0.1.0")
        record.left(identities[1])
        try records.write(record)
        let told = Told()
        let instances = UnconfiguredInstances(
            instances: RecordedInstances(
                basePath: folder.path, records: records, owners: TrustedUsers(),
                processes: SystemProcesses(loop: loop), loop: loop),
            configured: ["counter"], log: { _, text in told.texts.withLock { $0.append(text) } })
        leader.kill()
        await instances.report()
        #expect(
            told.texts.withLock { $0 }.first?.contains("gone-1 (OS process \(other.pid))") == true)
        let running = try await instances.running()
        #expect(running.map(\.processes) == [[identities[1]]])
        for found in running { await OnLoop(loop).stop(found.record, of: instances) }
        #expect(!identities[1].isRunning)
        #expect(try await instances.running().isEmpty)
        #expect(try records.read(record.name) == .absent)
        other.kill()
    }

    /// What a base folder's records say of `gone-1`.
    private func unconfigured(
        _ base: String, _ loop: EventLoop, _ told: Told, defaultTimeout: Duration = .seconds(10)
    ) throws -> UnconfiguredInstances {
        let records = InstanceRecordFolder(base: base, fileSystem: HostFileSystem())
        try records.prepare()
        return UnconfiguredInstances(
            instances: RecordedInstances(
                basePath: base, records: records, owners: TrustedUsers(),
                processes: SystemProcesses(loop: loop), loop: loop,
                defaultTimeout: defaultTimeout),
            configured: ["counter"], log: { _, text in told.texts.withLock { $0.append(text) } })
    }

    private let name = InstanceName(app: "gone", number: InstanceNumber(1))

    @Test func `an instance with a damaged record is found by its folder, named and stopped`()
        async throws
    {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let told = Told()
        let instances = try unconfigured(folder.path, loop, told)
        let records = instances.instances.records
        let current = folder.path + "/service/gone/1/current"
        try Files.makeFolders(current)
        let leader = try ChildProcess(
            "/bin/sh", ["-c", "cd '\(current)' && echo ready && exec sleep 600"],
            environment: ["PATH": "/usr/bin:/bin", "RELEASE_NODE_SUFFIX": "-1"], output: .pipe,
            leadsSession: true)
        _ = try leader.line(after: "ready")
        try Files.write(Array("{".utf8), records.filePath(name), mode: 0o600)
        // The record of a configured application is its own deployer's to set aside.
        let configured = InstanceName(app: "counter", number: InstanceNumber(1))
        try Files.write(Array("{".utf8), records.filePath(configured), mode: 0o600)
        await instances.report()
        #expect(
            told.texts.withLock { $0 }.first?.contains("gone-1 (OS process \(leader.pid))") == true)
        #expect(Files.text(records.filePath(configured)) == "{")
        // It is recorded anew.
        let running = try await instances.running()
        #expect(running.map { $0.processes.map(\.pid) } == [[leader.pid]])
        for found in running { await OnLoop(loop).stop(found.record, of: instances) }
        #expect(ProcessIdentity.ofRunning(pid: leader.pid) == nil)
        #expect(try await instances.running().isEmpty)
    }

    @Test func `with a damaged record, processes that may be the instance's are named`()
        async throws
    {
        let folder = TemporaryFolder()
        let told = Told()
        let instances = try unconfigured(folder.path, try EventLoop.onOwnThread(), told)
        let records = instances.instances.records
        let mark = [Orphans.variable: folder.path + "/service/gone/1", "PATH": "/usr/bin:/bin"]
        let other = try ChildProcess(
            "/bin/sh", ["-c", "echo ready; exec sleep 600"], environment: mark, output: .pipe)
        _ = try other.line(after: "ready")
        try Files.write(Array("{".utf8), records.filePath(name), mode: 0o600)
        let found = try await instances.instances.look()
        #expect(found.running.isEmpty)
        #expect(found.uncertain.count == 1)
        #expect(found.uncertain.first?.hasPrefix("gone-1 (its record was damaged") == true)
        #expect(found.uncertain.first?.contains("OS processes \(other.pid))") == true)
        #expect(!other.hasEnded)
        other.kill()
    }

    @Test func `it has as long to end as was configured when it started`() async throws {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let instances = try unconfigured(
            folder.path, loop, Told(), defaultTimeout: .seconds(600))
        let deaf = try ChildProcess(
            "/bin/sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 600; done"],
            output: .pipe, leadsSession: true)
        _ = try deaf.line(after: "ready")
        var record = InstanceRecord(name: name)
        record.begin(
            try #require(ProcessIdentity.ofRunning(pid: deaf.pid)), version: "0.1.0",
            stopTimeout: .milliseconds(100))
        // Without the record the test would take longer than it may.
        await OnLoop(loop).stop(record, of: instances)
        #expect(deaf.hasEnded)
    }

    @Test(.enabled(if: TrustedUsers.own == 0, "root alone can give files away"))
    func `the processes of the user who has been given the release count as the instance's`()
        async throws
    {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let told = Told()
        let instances = try unconfigured(folder.path, loop, told)
        let instance = folder.path + "/service/gone/1"
        try Files.makeFolders(instance + "/current/releases")
        chown(instance + "/current/releases", Stranger.user, Stranger.user)
        let left = try ChildProcess(
            "setpriv",
            [
                "--reuid=\(Stranger.user)", "--regid=\(Stranger.user)", "--clear-groups",
                "/bin/sh", "-c", "echo ready; exec sleep 600",
            ],
            environment: ["PATH": "/usr/bin:/bin", Orphans.variable: instance], output: .pipe)
        _ = try left.line(after: "ready")
        let ended = ProcessIdentity(
            pid: left.pid, startTicks: 1, bootID: ProcessIdentity.currentBootID)
        let record = InstanceRecord(name: name, process: ended)
        await OnLoop(loop).stop(record, of: instances)
        let texts = told.texts.withLock { $0 }
        #expect(texts.first?.contains(": \(left.pid) (") == true, "\(texts)")
        left.kill()
    }
}

/// What was logged.
private final class Told: Sendable {
    let texts = Guarded<[String]>([])
}

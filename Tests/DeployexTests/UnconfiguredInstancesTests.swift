import Supervisor
import TestKit
import Testing
import Transport

@testable import deployex

@Suite struct UnconfiguredInstancesTests {
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
        let told = Guarded<[String]>([])
        let instances = UnconfiguredInstances(
            instances: RecordedInstances(
                basePath: folder.path, records: records, owners: TrustedUsers(),
                processes: SystemProcesses(loop: loop), loop: loop),
            configured: ["counter"], log: { _, text in told.withLock { $0.append(text) } })
        leader.kill()
        await instances.report()
        #expect(told.withLock { $0 }.first?.contains("gone-1 (OS process \(other.pid))") == true)
        let running = try await instances.running()
        #expect(running.map(\.processes) == [[identities[1]]])
        for found in running { await OnLoop(loop).stop(found.record, of: instances) }
        #expect(!identities[1].isRunning)
        #expect(try await instances.running().isEmpty)
        #expect(try records.read(record.name) == .absent)
        other.kill()
    }
}

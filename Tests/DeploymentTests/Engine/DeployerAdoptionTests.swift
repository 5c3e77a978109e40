import ErlDist
import ExternalTermFormat
import Glibc
import Supervisor
import Synchronization
import TestKit
import Testing
import Transport

@testable import Deployment

/// A deployer that takes over what runs, while that changes.
@Suite struct DeployerAdoptionTests {
    /// A process of ours that sleeps.
    private func startSleeper() throws -> (process: ChildProcess, identity: ProcessIdentity) {
        let process = try ChildProcess("sleep", ["600"])
        return (process, try #require(ProcessIdentity.ofRunning(pid: process.pid)))
    }

    private func deployer(
        _ folder: TemporaryFolder, replicas: Int, on loop: EventLoop,
        log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
    ) -> Deployer {
        let effects = Deployer.Effects(
            loop: loop, processes: SystemProcesses(loop: loop),
            layout: DeploymentLayout(basePath: folder.path, application: "counter"),
            logs: LogFiles(root: folder / "log"), instances: InstanceEnvironment(firstPort: nil),
            inherited: [:], store: EmptyStore(), files: HostFileSystem(),
            node: { _ in UnreachableNode() }, log: log)
        return Deployer(
            configuration: EngineConfiguration(application: "counter", replicas: replicas),
            effects: effects)
    }

    /// Records a process that runs, and is to end, as an instance's.
    private func record(_ process: ProcessIdentity, in folder: TemporaryFolder) throws {
        let records = InstanceRecordFolder(base: folder.path, fileSystem: HostFileSystem())
        try records.prepare()
        var record = InstanceRecord(name: InstanceName(app: "counter", number: 1))
        record.begin(process, version: "0.1.0")
        record.hasBegun = true
        record.isStopping = true
        try records.write(record)
    }

    @Test func `an instance whose folders cannot be put in order keeps no other from starting`()
        async throws
    {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        try makeFolders(folder / "service/counter/1/journal.json")
        try makeFolders(folder / "service/counter/2/current/releases/0.1.0")
        try folder.write(
            Array("13.1.5 0.1.0".utf8), to: "service/counter/2/current/releases/start_erl.data")
        let told = Guarded<[String]>([])
        let deployer = deployer(folder, replicas: 2, on: loop) { level, text in
            if level == .error { told.withLock { $0.append(text) } }
        }
        try await deployer.start()
        let instances = try #require(await deployer.snapshot).instances
        #expect(instances.map(\.current?.version) == [nil, "0.1.0"])
        #expect(
            told.withLock { $0 }.contains {
                $0.hasPrefix("completing what was under way at instance: 1: ")
                    && $0.contains("journal.json")
            })
        await deployer.detach()
    }

    @Test func `a start that failed may be tried again, and goes on with what it had taken over`()
        async throws
    {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let (process, sleeper) = try startSleeper()
        defer { process.kill() }
        try record(sleeper, in: folder)
        // In the place of the application's record.
        try makeFolders(folder / "version/counter/application.json")
        let deployer = deployer(folder, replicas: 1, on: loop)
        await #expect(throws: FileSystemError.self) { try await deployer.start() }
        #expect(await deployer.snapshot == nil)
        // It ends in between, and even its record goes.
        kill(sleeper.pid, SIGKILL)
        var status = siginfo_t()
        waitid(P_PID, id_t(sleeper.pid), &status, WEXITED | WNOWAIT)
        try HostFileSystem().removeTree(folder / "version/counter/application.json")
        try HostFileSystem().removeTree(folder / "run/counter-1.json")
        try await deployer.start()
        try await eventually("the notice of its end") {
            await deployer.snapshot?.instances[0].identity == nil
        }
        await deployer.detach()
    }

    @Test func `one that has been stopped before it began does not begin`() async throws {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let deployer = deployer(folder, replicas: 1, on: loop)
        await deployer.stopAll()
        try await deployer.start()
        #expect(await deployer.snapshot == nil)
    }

    @Test func `a process that ends while others are still being looked for is noticed`()
        async throws
    {
        let folder = TemporaryFolder()
        let loop = try EventLoop.onOwnThread()
        let records = InstanceRecordFolder(base: folder.path, fileSystem: HostFileSystem())
        try records.prepare()
        let (process, sleeper) = try startSleeper()
        defer { process.kill() }
        var record = InstanceRecord(name: InstanceName(app: "counter", number: 1))
        record.begin(sleeper, version: "0.1.0")
        record.hasBegun = true
        record.isStopping = true
        try records.write(record)
        // The second is said to be damaged after the first has been adopted and before the engine exists.
        try folder.write(Array("{".utf8), to: "run/counter-2.json")
        let effects = Deployer.Effects(
            loop: loop, processes: SystemProcesses(loop: loop),
            layout: DeploymentLayout(basePath: folder.path, application: "counter"),
            logs: LogFiles(root: folder / "log"), instances: InstanceEnvironment(firstPort: nil),
            inherited: [:], store: EmptyStore(), files: HostFileSystem(),
            node: { _ in UnreachableNode() },
            log: { _, text in
                guard text.contains("counter-2 is damaged") else { return }
                kill(sleeper.pid, SIGKILL)
                var status = siginfo_t()
                waitid(P_PID, id_t(sleeper.pid), &status, WEXITED | WNOWAIT)
            })
        let deployer = Deployer(
            configuration: EngineConfiguration(application: "counter", replicas: 2),
            effects: effects)
        try await deployer.start()
        try await eventually("the notice of its end") {
            await deployer.snapshot?.instances[0].status == .idle
        }
        await deployer.detach()
    }
}

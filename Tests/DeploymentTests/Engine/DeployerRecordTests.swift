import ErlDist
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// What a deployer puts on record, and what it does when it cannot.
@Suite struct DeployerRecordTests {
    private let folder = TemporaryFolder()
    private let loop: EventLoop
    private let records: InstanceRecordFolder

    init() throws {
        loop = try .onOwnThread()
        records = InstanceRecordFolder(base: folder.path, fileSystem: HostFileSystem())
        try records.prepare()
    }

    private func deployer(
        _ processes: any ProcessHost, replicas: Int = 1,
        log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
    ) -> Deployer {
        let effects = Deployer.Effects(
            loop: loop, processes: processes,
            layout: DeploymentLayout(basePath: folder.path, application: "counter"),
            logs: LogFiles(root: folder / "log"), instances: InstanceEnvironment(firstPort: nil),
            inherited: [:], store: EmptyStore(), files: HostFileSystem(),
            node: { _ in UnreachableNode() }, log: log)
        return Deployer(
            configuration: EngineConfiguration(application: "counter", replicas: replicas),
            effects: effects)
    }

    private func write(
        _ number: InstanceNumber, _ process: ProcessIdentity, others: [ProcessIdentity] = []
    ) throws {
        var record = InstanceRecord(name: InstanceName(app: "counter", number: number))
        record.begin(process, version: "0.1.0")
        record.hasBegun = true
        for other in others { record.left(other) }
        try records.write(record)
    }

    private func record(_ number: InstanceNumber) throws -> InstanceRecord? {
        guard
            case .found(let record) = try records.read(
                InstanceName(app: "counter", number: number))
        else { return nil }
        return record
    }

    /// Puts something into the place where a record is written, or takes it away.
    private func setObstacle(_ isThere: Bool) throws {
        let path = folder / "run/counter-1.json.tmp"
        if isThere {
            try Files.makeFolders(path + "/obstacle")
        } else {
            try HostFileSystem().removeTree(path)
        }
    }

    @Test func `when the records' folder was removed, the records of all instances come back`()
        async throws
    {
        let processes = ScriptedProcesses(running: [101: 0, 102: 0])
        try write(1, ScriptedProcesses.identity(101))
        try write(
            2, ScriptedProcesses.identity(102), others: [ScriptedProcesses.identity(103)])
        let deployer = deployer(processes, replicas: 2)
        try await deployer.start()
        try HostFileSystem().removeTree(records.path)
        _ = await deployer.perform(.stop(1))
        try await eventually { try record(2) != nil }
        #expect(try record(2)?.process == ScriptedProcesses.identity(102))
        #expect(try record(2)?.others == [ScriptedProcesses.identity(103)])
        try await eventually { processes.sessions.contains { $0.received == ["TERM"] } }
        await deployer.detach()
    }

    @Test func `of the signals that have to wait for the record the last one is sent, once`()
        async throws
    {
        // They do not end by themselves.
        let processes = ScriptedProcesses(running: [101: 0])
        try write(1, ScriptedProcesses.identity(101))
        let failures = Guarded(0)
        let deployer = deployer(processes) { _, text in
            if text.contains("recording that counter-1 is to stop") {
                failures.withLock { $0 += 1 }
            }
        }
        try await deployer.start()
        try setObstacle(true)
        await deployer.signal(1) { $0.terminate() }
        await deployer.signal(1) { $0.terminate() }
        await deployer.signal(1) { $0.killSession() }
        // There is one retry a second, not one for each of them.
        let begin = loop.now
        let before = failures.withLock { $0 }
        #expect(before >= 3)
        try await eventually { failures.withLock { $0 } >= before + 5 }
        #expect(loop.now - begin > .seconds(3))
        try setObstacle(false)
        try await eventually { processes.sessions[0].received != [] }
        #expect(processes.sessions[0].received == ["KILL"])
        try await eventually { try record(1)?.process == nil }
        await deployer.detach()
    }

    /// A release that boots, in the instance's `current`.
    private func makeRelease() throws {
        for (name, text) in [
            ("bin/counter", "#!/bin/sh\n"), ("releases/start_erl.data", "13.1.5 0.1.0"),
            ("releases/0.1.0/start.boot", ""),
        ] {
            let path = folder / "service/counter/1/current/\(name)"
            try Files.makeFolders(Files.parent(of: path))
            try Files.write(Array(text.utf8), path)
        }
    }

    @Test func `what cannot boot any more is not started: it is deployed anew`() async throws {
        let processes = ScriptedProcesses(running: [101: 0])
        try write(1, ScriptedProcesses.identity(101))
        try makeRelease()
        let told = Guarded<[String]>([])
        let deployer = deployer(processes) { _, text in told.withLock { $0.append(text) } }
        try await deployer.start()
        // Its user has made a folder of what says which release boots.
        let path = folder / "service/counter/1/current/releases/start_erl.data"
        try HostFileSystem().removeTree(path)
        try Files.makeFolders(path + "/kept")
        let first = processes.sessions[0]
        loop.execute { first.end() }
        try await eventually { await deployer.snapshot?.instances[0].current == nil }
        try await eventually {
            told.withLock { $0 }.contains { $0.contains("holds no release that boots") }
        }
        #expect(processes.sessions.count == 1)
        await deployer.detach()
    }

    @Test func `a signal that has to wait does not go to the process that comes next`()
        async throws
    {
        let processes = ScriptedProcesses(running: [101: 0])
        try write(1, ScriptedProcesses.identity(101))
        try makeRelease()
        let deployer = deployer(processes)
        try await deployer.start()
        try setObstacle(true)
        await deployer.signal(1) { $0.terminate() }
        try setObstacle(false)
        let first = processes.sessions[0]
        loop.execute { first.end() }
        // It has crashed, and is started again before the retry.
        try await eventually {
            await deployer.snapshot?.instances[0].identity == nil
        }
        _ = await deployer.perform(.restart(1))
        try await eventually { processes.sessions.count == 2 }
        await loop.sleep(for: .milliseconds(1100))
        #expect(processes.sessions[1].received == [])
        #expect(first.received == [])
        await deployer.detach()
    }

    /// Names a release with a pre-command.
    private struct OneRelease: ReleaseStore {
        let catalog = "the catalog"

        func current() async throws(StoreError) -> Release? {
            do {
                return try Release(version: "0.1.0", hash: "1", preCommands: ["eval x"])
            } catch {
                throw .unavailable(address: catalog, reason: "\(error)")
            }
        }

        func package(
            of release: Release, into folder: String
        ) async throws(StoreError) -> LocalPackage {
            LocalPackage(path: folder)
        }
    }

    @Test func `a release whose staged files somebody removes is not blamed for its pre-commands`()
        async throws
    {
        let told = Guarded<[String]>([])
        let (new, log) = (folder / "service/counter/1/new", folder / "log")
        let staged = Guarded(0)
        var effects = Deployer.Effects(
            loop: loop, processes: ScriptedProcesses(),
            layout: DeploymentLayout(basePath: folder.path, application: "counter"),
            logs: LogFiles(root: log), instances: InstanceEnvironment(firstPort: nil),
            inherited: [:], store: OneRelease(), files: HostFileSystem(),
            node: { _ in UnreachableNode() },
            log: { _, text in told.withLock { $0.append(text) } })
        effects.unpack = { _, _, _ in
            staged.withLock { $0 += 1 }
            // As if they had gone at once.
            return UnpackSummary(entryCount: 0, byteCount: 0)
        }
        let deployer = Deployer(
            configuration: EngineConfiguration(application: "counter", replicas: 1),
            effects: effects)
        try await deployer.start()
        try await eventually {
            told.withLock { $0 }.contains("there is no \(new)/bin/counter; next attempt in 5 s")
        }
        #expect(staged.withLock { $0 } == 1)
        #expect(await deployer.snapshot?.ghosted == [])
        await deployer.detach()
    }

    @Test func `what has left the session of an instance beyond the replicas ends with it`()
        async throws
    {
        for isRunning in [true, false] {
            let (leader, other) = (
                try ChildProcess("sleep", ["600"]), try ChildProcess("sleep", ["600"])
            )
            let identities = try [leader, other].map {
                try #require(ProcessIdentity.ofRunning(pid: $0.pid))
            }
            try write(2, identities[0], others: [identities[1]])
            if !isRunning { leader.kill() }
            let deployer = deployer(SystemProcesses(loop: loop))
            try await deployer.start()
            #expect(identities.filter(\.isRunning) == [])
            #expect(try record(2) == nil)
            await deployer.detach()
            for process in [leader, other] { process.kill() }
        }
    }

    @Test func `an instance beyond the replicas that SIGKILL does not end stays on record`()
        async throws
    {
        let processes = ScriptedProcesses(running: [102: 1])
        try write(2, ScriptedProcesses.identity(102))
        let deployer = deployer(processes)
        try await deployer.start()
        #expect(processes.sessions.map(\.received) == [["TERM"]])
        #expect(try record(2)?.process == ScriptedProcesses.identity(102))
        #expect(try record(2)?.isStopping == true)
        await deployer.detach()
    }
}

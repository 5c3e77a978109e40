import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// Starts and watches processes on the loop, as the deployer does.
actor Starter {
    nonisolated let loop: EventLoop
    private(set) var events: [ProcessSession.Event] = []
    private(set) var warnings: [String] = []
    private var session: ProcessSession?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init() throws {
        loop = try .onOwnThread()
    }

    deinit { loop.stop() }

    @discardableResult
    func start(
        _ program: Program, groups: ControlGroups? = nil,
        record: @escaping @Sendable (ProcessIdentity) throws -> Void = { _ in }
    ) async throws -> ProcessIdentity {
        events = []
        let session = try await ProcessSession.start(
            program, on: loop, groups: groups, warn: warned, record: record,
            onEvent: { event in self.assumeIsolated { $0.events.append(event) } })
        #expect(events == [])
        self.session = session
        return session.identity
    }

    private func warned(_ text: String) { warnings.append(text) }

    func adopt(
        _ identity: ProcessIdentity, groups: ControlGroups? = nil
    ) async throws -> Bool {
        events = []
        session = try await ProcessSession.adopt(identity, on: loop, groups: groups) { event in
            self.assumeIsolated { $0.events.append(event) }
        }
        return session != nil
    }

    func stopLeftover(
        _ identity: ProcessIdentity, timeout: Duration
    ) async throws -> LeftoverSession.Outcome {
        try await LeftoverSession.stop(
            identity, timeout: timeout, in: SystemProcesses(loop: loop), on: loop)
    }

    /// What of an instance runs, and what happens when it is stopped.
    func stop(_ leftover: LeftoverInstance, groups: ControlGroups? = nil) async throws -> (
        running: [ProcessIdentity], parts: [LeftoverInstance.Part], unseen: [MarkedProcess]
    ) {
        let host = SystemProcesses(loop: loop, groups: groups)
        let running = await leftover.running(in: host)
        let (parts, unseen) = try await leftover.stop(
            timeout: .seconds(10), in: host, on: loop)
        return (running, parts, unseen)
    }

    func terminate() { session?.terminate() }
    func killSession() { session?.killSession() }

    /// The events up to the session's end.
    func allEvents() async throws -> [ProcessSession.Event] {
        try await eventually {
            if case .ended = self.events.last { true } else { false }
        }
        return events
    }
}

@Suite struct ProcessSessionTests {
    let folder = TemporaryFolder()
    let starter: Starter

    init() throws {
        starter = try Starter()
    }

    func program(_ path: String, _ arguments: String...) -> Program {
        Program(
            path: path, arguments: arguments, environment: ["MARK": "42"], folder: folder.path,
            stdoutPath: folder("out.log"), stderrPath: folder("err.log"))
    }

    func shell(_ script: String) -> Program {
        program("/bin/sh", "-c", script)
    }

    /// The pid that a script writes into a file.
    func pid(in name: String) async throws -> Int32 {
        var pid: Int32?
        try await eventually {
            pid = folder.text(name).flatMap { text in
                text.hasSuffix("\n") ? Int32(text.dropLast()) : nil
            }
            return pid != nil
        }
        return try #require(pid)
    }

    @Test func `a program gets its arguments, environment, folder and logs, and leads a session`()
        async throws
    {
        let identity = try await starter.start(
            program("/bin/sh", "-c", "echo \"$0\" $MARK; pwd; echo oops >&2", "a  b"))
        #expect(try await starter.allEvents() == [.exited(.code(0)), .ended(survivors: 0)])
        let lines = try #require(folder.text("out.log")).split(separator: "\n").map(String.init)
        #expect(lines.first == "a  b 42")
        #expect(lines.dropFirst().first == folder.path)
        #expect(folder.text("err.log") == "oops\n")
        #expect(!identity.isRunning)
        // Reaped: not even a zombie is left.
        #expect(ProcessStatus.ofProcess(identity.pid)?.startTicks != identity.startTicks)
    }

    @Test func `variables that are not text are passed on, unless ours has the name`()
        async throws
    {
        var program = program("/usr/bin/env")
        program.foreignVariables = ["LATIN=caf\u{E9}", "MARK=\u{E9}", "\u{E9}=1"].compactMap {
            text in
            ForeignVariable(entry: text.unicodeScalars.map { UInt8($0.value) })
        }
        #expect(program.foreignVariables.count == 3)
        #expect(ForeignVariable(entry: Array("caf\u{E9}=1".utf8)) == nil)
        #expect(ForeignVariable(entry: [0xE9]) == nil)
        try await starter.start(program)
        _ = try await starter.allEvents()
        let lines = Files.bytes(folder("out.log")).split(separator: UInt8(ascii: "\n"))
        #expect(
            lines.map { Array($0) } == [
                Array("MARK=42".utf8), Array("LATIN=caf".utf8) + [0xE9],
                [0xE9] + Array("=1".utf8),
            ])
    }

    @Test func `a program inherits no descriptor, no ignored signal and no blocked signal`()
        async throws
    {
        // Descriptors that are not close-on-exec, in this process.
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, SIG_DFL) }
        let identity = try await starter.start(program("/bin/sleep", "600"))
        let descriptors = try FileManager.default
            .contentsOfDirectory(atPath: "/proc/\(identity.pid)/fd").sorted()
        #expect(descriptors == ["0", "1", "2"])
        let input = try FileManager.default
            .destinationOfSymbolicLink(atPath: "/proc/\(identity.pid)/fd/0")
        #expect(input == "/dev/null")
        let status = try String(
            contentsOfFile: "/proc/\(identity.pid)/status", encoding: .utf8)
        for field in ["SigBlk", "SigIgn", "SigCgt"] {
            #expect(status.contains("\(field):\t0000000000000000\n"), "\(field)")
        }
        #expect(ProcessStatus.ofProcess(identity.pid)?.session == identity.pid)
        await starter.killSession()
        #expect(try await starter.allEvents() == [.exited(.signal(9)), .ended(survivors: 0)])
    }

    @Test func `SIGTERM ends a program that does not mind`() async throws {
        try await starter.start(program("/bin/sleep", "600"))
        await starter.terminate()
        #expect(try await starter.allEvents() == [.exited(.signal(15)), .ended(survivors: 0)])
    }

    @Test func `a program that ignores SIGTERM is killed with its session`() async throws {
        try await starter.start(
            shell("trap 'echo got > got' TERM; echo > ready; while :; do sleep 0.05; done"))
        try await eventually { folder.text("ready") == "\n" }
        await starter.terminate()
        try await eventually { folder.text("got") == "got\n" }
        #expect(await starter.events == [])
        await starter.killSession()
        #expect(try await starter.allEvents() == [.exited(.signal(9)), .ended(survivors: 0)])
    }

    @Test func `what outlives its leader in the session is killed, double forks included`()
        async throws
    {
        try await starter.start(
            shell(
                "(trap '' TERM HUP; (sleep 600 & echo $! > orphan) &) ; sleep 600 & echo $! > kid"))
        let events = try await starter.allEvents()
        let orphan = try await pid(in: "orphan")
        let kid = try await pid(in: "kid")
        #expect(events == [.exited(.code(0)), .ended(survivors: 0)])
        #expect(ProcessIdentity.ofRunning(pid: orphan) == nil)
        #expect(ProcessIdentity.ofRunning(pid: kid) == nil)
    }

    @Test func `the session's kill reaches descendants in sessions of their own`() async throws {
        try await starter.start(
            shell("setsid sh -c 'echo $$ > away; exec sleep 600' & wait"))
        let away = try await pid(in: "away")
        try await eventually { ProcessStatus.ofProcess(away)?.session == away }
        await starter.killSession()
        #expect(try await starter.allEvents().last == .ended(survivors: 0))
        #expect(ProcessIdentity.ofRunning(pid: away) == nil)
    }

    /// A shell that passes for a virtual machine.
    private func makeMachine() throws {
        let shell = try #require(realpath("/bin/sh", nil))
        defer { free(shell) }
        try FileManager.default.copyItem(
            atPath: String(cString: shell), toPath: folder("beam.smp"))
    }

    @Test func `behind a wrapper script the virtual machine ends first, and then the rest`()
        async throws
    {
        try makeMachine()
        try await starter.start(
            shell(
                """
                ./beam.smp -c 'trap "sleep 0.3; echo machine >> ends; exit" TERM; echo > up
                    while :; do sleep 0.02; done' &
                sh -c 'trap "echo other >> ends; exit" TERM; echo > ready
                    while :; do sleep 0.02; done' &
                wait
                """))
        try await eventually { folder.text("up") != nil && folder.text("ready") != nil }
        await starter.terminate()
        #expect(try await starter.allEvents() == [.exited(.signal(15)), .ended(survivors: 0)])
        #expect(folder.text("ends") == "machine\nother\n")
    }

    @Test
    func `what a wrapper script leaves behind is asked to end, and killed only when it is to be`()
        async throws
    {
        try await starter.start(
            shell(
                """
                sh -c 'trap "echo >> asked" TERM; echo > ready; while :; do sleep 0.02; done' &
                wait
                """))
        try await eventually { folder.text("ready") != nil }
        await starter.terminate()
        try await eventually { folder.text("asked") == "\n" }
        #expect(await starter.events == [.exited(.signal(15))])
        await starter.killSession()
        #expect(try await starter.allEvents() == [.exited(.signal(15)), .ended(survivors: 0)])
        // Once.
        #expect(folder.text("asked") == "\n")
    }

    @Test func `a daemon that left the session and its ancestry is not touched`() async throws {
        // As epmd does, which a BEAM starts and all of the host's nodes share.
        try await starter.start(
            shell("setsid sh -c '(sleep 600 & echo $! > daemon)'; echo done > done; sleep 600"))
        let daemon = try await pid(in: "daemon")
        defer { kill(daemon, SIGKILL) }
        try await eventually { folder.text("done") == "done\n" }
        await starter.killSession()
        #expect(try await starter.allEvents() == [.exited(.signal(9)), .ended(survivors: 0)])
        #expect(ProcessIdentity.ofRunning(pid: daemon) != nil)
    }

    @Test func `logs are appended to across starts, with mode 0640`() async throws {
        for text in ["one", "two"] {
            try await starter.start(shell("echo \(text)"))
            _ = try await starter.allEvents()
        }
        #expect(folder.text("out.log") == "one\ntwo\n")
        let status = try #require(try HostFileSystem().status(folder("out.log")))
        #expect(status.mode & ~0o640 == 0)
    }

    @Test func `what cannot be started says why`() async throws {
        await #expect(
            throws: SpawnError(
                "starting /no/such/program: no such file or directory", isOfProgram: true)
        ) {
            try await starter.start(program("/no/such/program"))
        }
        var elsewhere = program("/bin/true")
        elsewhere.folder = "/no/such/folder"
        await #expect(
            throws: SpawnError("entering /no/such/folder: no such file or directory")
        ) {
            try await starter.start(elsewhere)
        }
        var logless = program("/bin/true")
        logless.stdoutPath = "/no/such/folder/out.log"
        await #expect(throws: SpawnError.self) { try await starter.start(logless) }
        await #expect(throws: SpawnError.self) {
            try await starter.start(program("/bin/echo", "a\0b"))
        }
    }

    @Test func `the record is written before the program runs, and without it it does not run`()
        async throws
    {
        let recorded = Guarded<ProcessIdentity?>(nil)
        let ran = folder("ran")
        let identity = try await starter.start(shell("echo > ran")) { identity in
            recorded.withLock { $0 = identity }
            // Long enough for a program that is not held to be seen.
            usleep(50_000)
            #expect(!FileManager.default.fileExists(atPath: ran))
        }
        #expect(recorded.withLock { $0 } == identity)
        _ = try await starter.allEvents()
        #expect(folder.text("ran") == "\n")

        let refused = Guarded<ProcessIdentity?>(nil)
        await #expect(throws: SpawnError.self) {
            try await starter.start(shell("echo > never")) { identity in
                refused.withLock { $0 = identity }
                throw TestFailure("it cannot be recorded")
            }
        }
        let pid = try #require(refused.withLock { $0 }).pid
        #expect(ProcessStatus.ofProcess(pid) == nil)
        #expect(folder.text("never") == nil)
    }

    @Test func `a held child ends with whoever holds it, even beside others that are held`()
        async throws
    {
        // What the kernel does to the gate when deployex is killed, is done here by dropping it.
        let held = try HeldProcess.start(shell("echo > never"))
        let other = try HeldProcess.start(shell("echo > other"))
        let handle = held.handle
        #expect(ProcessStatus.ofProcess(handle.identity.pid)?.isZombie == false)
        _ = consume held
        try await eventually { handle.hasExited }
        #expect(handle.exitStatus(reaping: false) == .code(127))
        #expect(handle.exitStatus(reaping: true) == .code(127))
        #expect(handle.exitStatus(reaping: true) == .unknown)
        #expect(folder.text("never") == nil)
        let released = try other.release()
        try await eventually { released.hasExited }
        #expect(released.exitStatus(reaping: true) == .code(0))
        #expect(folder.text("other") == "\n")
    }

    @Test func `many held at once are all released`() async throws {
        let starters = try (0..<16).map { _ in try Starter() }
        try await withThrowingTaskGroup { group in
            for (index, starter) in starters.enumerated() {
                let program = shell("echo \(index) >> all")
                group.addTask {
                    try await starter.start(program) { _ in usleep(10_000) }
                    return try await starter.allEvents()
                }
            }
            for try await events in group {
                #expect(events == [.exited(.code(0)), .ended(survivors: 0)])
            }
        }
        #expect(folder.text("all")?.split(separator: "\n").count == 16)
    }
}

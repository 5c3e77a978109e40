import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// Opens terminals on the loop, as the dashboard does.
private actor Desk {
    nonisolated let loop: EventLoop
    private(set) var output: [UInt8] = []
    private(set) var exit: ProcessExit?
    private var session: TerminalSession?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init() throws {
        loop = try .onOwnThread()
    }

    deinit { loop.stop() }

    func start(_ arguments: [String], path: String = "/bin/sh") async throws {
        let program = Program(
            path: path, arguments: arguments, environment: ["PATH": "/usr/bin:/bin"],
            folder: "/", stdoutPath: "/dev/null", stderrPath: "/dev/null")
        let size = try #require(TerminalSession.Size(columns: 91, rows: 17))
        session = try await TerminalSession.start(program, size: size, on: loop) { event in
            self.assumeIsolated {
                switch event {
                case .output(let bytes): $0.output += bytes
                case .ended(let exit): $0.exit = exit
                }
            }
        }
    }

    func write(_ text: String) -> Bool { session?.write(Array(text.utf8)) ?? false }
    func pause(_ isPaused: Bool) { session?.isReadingPaused = isPaused }
    func resize(columns: Int, rows: Int) {
        if let size = TerminalSession.Size(columns: columns, rows: rows) { session?.resize(size) }
    }
    func kill() { session?.kill() }

    var text: String { String(decoding: output, as: UTF8.self) }

    func ended() async throws -> ProcessExit? {
        try await eventually { self.exit != nil }
        return exit
    }
}

@Suite(.timeLimit(.minutes(1))) struct TerminalSessionTests {
    @Test func `a program has a terminal of its own, of the size asked for`() async throws {
        let desk = try Desk()
        try await desk.start([
            "-c",
            "test -t 0 && test -t 1 && test -t 2 && stty size && "
                + "echo \"$(ps -o tty= -p $$) $(tty)\" && ls /proc/self/fd | tr '\\n' ' '; "
                + "exec < /dev/tty && echo own; exit 3",
        ])
        #expect(try await desk.ended() == .code(3))
        let lines = await desk.text.split(separator: "\r\n").map(String.init)
        try #require(lines.count == 3, "\(lines)")
        #expect(lines[0] == "17 91")
        let names = lines[1].split(separator: " ")
        #expect(names.count == 2 && names[1] == "/dev/" + names[0], "\(lines[1])")
        // ls has its own folder open as 3. Nothing of ours was passed on.
        #expect(lines[2] == "0 1 2 3 own", "\(lines[2])")
    }

    @Test func `what is typed reaches the program, and control keys are signals`() async throws {
        let desk = try Desk()
        try await desk.start([
            "-c",
            "trap 'echo interrupted' INT; echo ready; "
                + "until test \"$word\" = two; do read word; done; echo got $word",
        ])
        try await eventually { await desk.text.contains("ready") }
        #expect(await desk.write("\u{03}"))
        try await eventually { await desk.text.contains("interrupted") }
        #expect(await desk.write("one\nt\u{E9}\u{7F}wo\n"))
        #expect(try await desk.ended() == .code(0))
        #expect(await desk.text.hasSuffix("got two\r\n"))
    }

    @Test func `the program learns of another size`() async throws {
        let desk = try Desk()
        try await desk.start([
            "-c", "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done",
        ])
        try await eventually { await desk.text.contains("ready") }
        await desk.resize(columns: 120, rows: 50)
        #expect(try await desk.ended() == .code(0))
        #expect(await desk.text.hasSuffix("50 120\r\n"))
    }

    @Test func `a program waits while nobody reads, and loses nothing`() async throws {
        let desk = try Desk()
        let marker = TemporaryFolder()
        await desk.start(paused: [
            "-c", "seq 1 30000; echo done > \(marker("written")); sleep 1000",
        ])
        let before = await desk.output.count
        #expect(before < 30_000)
        #expect(!FileManager.default.fileExists(atPath: marker("written")))
        await desk.pause(false)
        try await eventually { await desk.text.hasSuffix("30000\r\n") }
        let lines = await desk.text.split(separator: "\r\n")
        #expect(lines.count == 30_000)
        #expect(lines.enumerated().allSatisfy { $0.element == "\($0.offset + 1)" })
        await desk.kill()
        #expect(try await desk.ended() == .signal(SIGKILL))
    }

    @Test func `the last that a program writes is not lost`() async throws {
        let desk = try Desk()
        try await desk.start(["-c", "seq 1 500"])
        #expect(try await desk.ended() == .code(0))
        #expect(await desk.text.hasSuffix("500\r\n"))
    }

    @Test func `nothing of it is left when it is killed`() async throws {
        let desk = try Desk()
        try await desk.start([
            "-c", "(trap '' HUP; setsid sleep 1001 & echo $!; sleep 1002) & echo $$ ; wait",
        ])
        try await eventually {
            await desk.text.split(separator: "\r\n").count == 2
        }
        let pids = await desk.text.split(separator: "\r\n").compactMap { Int32($0) }
        let processes = pids.compactMap { ProcessIdentity.ofRunning(pid: $0) }
        #expect(processes.count == 2)
        await desk.kill()
        _ = try await desk.ended()
        #expect(processes.allSatisfy { !$0.isRunning })
    }

    @Test func `a program that closes its terminal is ended`() async throws {
        let desk = try Desk()
        try await desk.start(["-c", "echo x; exec sleep 1003 < /dev/null > /dev/null 2>&1"])
        // It is killed when its terminal is gone; the kernel hangs up at the same time.
        let exit = try #require(try await desk.ended())
        #expect([.signal(SIGKILL), .signal(SIGHUP)].contains(exit))
    }

    @Test func `only so much waits for a program that does not read`() async throws {
        let desk = try Desk()
        try await desk.start(["-c", "stty raw -echo; echo ready; sleep 1004"])
        try await eventually { await desk.text.contains("ready") }
        let part = String(repeating: "x", count: 64 << 10)
        var count = 0
        while await desk.write(part) { count += 1 }
        #expect((2...3).contains(count))
        await desk.kill()
        _ = try await desk.ended()
        #expect(await !desk.write("x"))
    }

    @Test func `sizes that no terminal has are refused`() {
        #expect(TerminalSession.Size(columns: 0, rows: 24) == nil)
        #expect(TerminalSession.Size(columns: 80, rows: 1_001) == nil)
        #expect(TerminalSession.Size(columns: -1, rows: 1 << 40) == nil)
    }
}

extension Desk {
    /// Starts a program whose output is left to wait from the begin.
    fileprivate func start(paused arguments: [String]) async {
        do {
            try await start(arguments)
            pause(true)
        } catch {
            Issue.record(error)
        }
    }
}

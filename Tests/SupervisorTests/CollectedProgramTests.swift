import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite(.timeLimit(.minutes(2))) struct CollectedProgramTests {
    private let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func run(
        _ script: String, limit: Int = 1_000, within deadline: Duration = .seconds(100)
    ) async throws -> CollectedProgram.Output {
        let program = Program(
            path: "/bin/sh", arguments: ["-c", script], environment: ["WORD": "hello"],
            folder: "/", stdoutPath: "", stderrPath: "")
        let loop = loop
        let task = Task(executorPreference: loop) {
            try await CollectedProgram.run(program, on: loop, limit: limit, within: deadline)
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    @Test func `what a program prints is collected with its exit`() async throws {
        let output = try await run("echo $WORD; echo no >&2; exit 3")
        #expect(
            output
                == CollectedProgram.Output(
                    exit: .code(3), standardOutput: Array("hello\n".utf8),
                    standardError: Array("no\n".utf8)))
    }

    @Test func `more than a pipe holds is collected whole`() async throws {
        let output = try await run("head -c 300000 /dev/zero", limit: 300_000)
        #expect(output.exit == .code(0) && output.standardOutput.count == 300_000)
    }

    @Test func `who prints too much is killed`() async throws {
        await #expect(throws: CollectedProgram.Failure.tooMuch(limit: 1_000)) {
            try await run("exec cat /dev/zero")
        }
        // It may have ended before we see it.
        await #expect(throws: CollectedProgram.Failure.tooMuch(limit: 1_000)) {
            try await run("head -c 1001 /dev/zero")
        }
    }

    @Test func `errors without end are dropped, not collected`() async throws {
        let output = try await run("head -c 200000 /dev/zero >&2; echo done")
        #expect(output.standardOutput == Array("done\n".utf8))
        #expect(output.standardError.count == CollectedProgram.errorByteLimit)
    }

    @Test func `who does not end is killed with what he has started`() async throws {
        let folder = TemporaryFolder("collected")
        await #expect(throws: CollectedProgram.Failure.timedOut(after: .milliseconds(700))) {
            try await run(
                "sleep 1000 & echo $! > \(folder("pid")); wait", within: .milliseconds(700))
        }
        let pid = folder.text("pid").flatMap { Int32($0.dropLast()) }
        if let pid { #expect(ProcessStatus.ofProcess(pid).map(\.isZombie) ?? true) }
    }

    @Test func `who has left the session is not waited for, although he holds the pipe`()
        async throws
    {
        let folder = TemporaryFolder("collected")
        let path = folder("pid")
        let output = try await run(
            "setsid sh -c 'echo $$ > \(path); exec sleep 1000' & "
                + "while ! [ -s \(path) ]; do :; done; echo done")
        #expect(output.standardOutput == Array("done\n".utf8))
        let pid = try #require(folder.text("pid").flatMap { Int32($0.dropLast()) })
        #expect(kill(pid, SIGKILL) == 0)
    }

    @Test func `a cancelled caller's program is killed`() async throws {
        let task = Task { try await run("exec sleep 1000") }
        task.cancel()
        await #expect(throws: CollectedProgram.Failure.stopped) { try await task.value }
    }

    @Test func `what cannot be started is named`() async throws {
        let loop = loop
        let program = Program(
            path: "/nowhere", arguments: [], environment: [:], folder: "/", stdoutPath: "",
            stderrPath: "")
        await #expect(
            throws: CollectedProgram.Failure.notStarted(
                "starting /nowhere: no such file or directory")
        ) {
            try await Task(executorPreference: loop) {
                try await CollectedProgram.run(
                    program, on: loop, limit: 10, within: .seconds(100))
            }.value
        }
    }
}

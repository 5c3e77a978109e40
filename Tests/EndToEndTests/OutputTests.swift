import Glibc
import TestKit
import Testing

/// What becomes of output that its reader takes slowly, or not at all. Nothing else runs.
@Suite struct OutputTests {
    private static let verbs = [
        ["version"], ["help"], ["help", "status"], ["completion", "bash"],
    ]

    @Test(arguments: verbs)
    func `output that cannot be written is no success, and says why`(arguments: [String]) throws {
        let full = try ChildProcess(
            BuiltProgram.deployex, arguments, output: .file("/dev/full"), errors: .pipe)
        let result = try full.wait()
        #expect(result.status == 1)
        #expect(result.output == "deployex: writing to stdout: no space left on device\n")
    }

    @Test func `a reader that has gone is no failure`() throws {
        let script = #""$0" completion bash | head -c 1; exit "${PIPESTATUS[0]}""#
        let result = try ChildProcess(
            "bash", ["-c", script, BuiltProgram.deployex], output: .pipe
        ).wait()
        #expect(result.status == 0 && result.output == "_")
    }

    @Test func `a slow reader gets everything, and the command sleeps meanwhile`() throws {
        // The pipe holds little (F_SETPIPE_SZ), and its writers do not wait.
        let script = """
            import fcntl, os, sys
            fcntl.fcntl(1, 1031, 4096)
            os.set_blocking(1, False)
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let child = try ChildProcess(
            "python3", ["-c", script, BuiltProgram.deployex, "completion", "fish"], output: .pipe)
        // It has filled the pipe. A program that tries again and again is runnable.
        let deadline = ContinuousClock.now + .seconds(20)
        var sleeping = 0
        while sleeping < 50, ContinuousClock.now < deadline {
            let isAsleep = state(child.pid) == "S"
            let isDeployex = ProcFolder.program(child.pid) == BuiltProgram.deployex
            sleeping = isAsleep && isDeployex ? sleeping + 1 : 0
            usleep(1000)
        }
        #expect(sleeping == 50)
        let whole = try ChildProcess.run(BuiltProgram.deployex, ["completion", "fish"])
        #expect(whole.utf8.count > 4096)
        let result = try child.wait()
        #expect(result.status == 0 && result.output == whole)
    }

    @Test func `bare deployex on a terminal explains itself, and starts nothing`() throws {
        let script =
            "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
        let result = try ChildProcess(
            "python3", ["-c", script, BuiltProgram.deployex],
            environment: ["PATH": ThisHost.path, "HOME": "/nonexistent"], input: .pipe,
            output: .pipe
        ).wait()
        #expect(result.status == 2)
        #expect(result.output.contains("DEPLOYEX_MONITORED_APP_NAME=myapp deployex"))
        #expect(result.output.contains("deployex help"))
    }

    private func state(_ pid: Int32) -> Substring? {
        let text = String(decoding: Files.bytes("/proc/\(pid)/stat"), as: UTF8.self)
        return text.split(separator: ")").last?.split(separator: " ").first
    }
}

/// Commands in a place without `/proc`, where Swift's own list of arguments is empty.
@Suite(.enabled(if: geteuid() == 0, "only root can take /proc away"))
struct WithoutProcTests {
    private func run(_ arguments: String...) throws -> ChildProcess.Result {
        let script = #"mount -t tmpfs none /proc && exec "$0" "$@""#
        return try ChildProcess(
            "unshare", ["-m", "sh", "-c", script, BuiltProgram.deployex] + arguments,
            output: .pipe
        ).wait()
    }

    @Test func `a command is the one that was typed, never start`() throws {
        let version = try run("version")
        #expect(version.status == 0)
        #expect(version.output.hasPrefix("deployex "))
        #expect(try run("frobnicate").output.contains("unknown command frobnicate"))
        let start = try run("start")
        #expect(start.status == 1)
        #expect(start.output.contains("/proc is missing"))
    }
}

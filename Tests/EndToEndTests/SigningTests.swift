import Glibc
import TestKit
import Testing

/// `deployex sign` with a key that a password protects. Nothing else runs.
@Suite struct SigningTests {
    private let desk = TemporaryFolder("desk")
    private let package: String

    /// A key that minisign opens with "sesame", with little work.
    private static let secretKey = """
        untrusted comment: minisign encrypted secret key
        RWRTY0IyAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMAgAAAAAAAAAAAEAAAAAAAQ08MzXeqhm+xeCdBLMIK8SPpLoek0WLZIWmQN1p9s90mvSHLJFBGcCHO4NicSfkj/uAKv9NHcXkqZvaAbTy90GcW9lu79HDgCoTnnlEX5vaWfu7JyC8UGzMGglaetuxlGwhUQle+W8w=

        """
    private static let publicKey = "RWQFBQUFBQUFBW56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2AUFvx"

    init() throws {
        desk.write(Self.secretKey, "a.key", mode: 0o600)
        package = desk("counter-0.1.0.tar.gz")
        let original = try ExamplePackages.folder() + "/counter-0.1.0.tar.gz"
        try Files.write(Files.bytes(original), package)
    }

    private func expectVerified() throws {
        try ChildProcess.run("minisign", ["-V", "-H", "-m", package, "-P", Self.publicKey])
        var status = stat()
        #expect(stat(package + ".minisig", &status) == 0 && status.st_mode & 0o777 == 0o644)
    }

    /// Runs it on a terminal of its own, types once it asks, and says whether the terminal shows what
    /// is typed afterwards.
    private func sign(typing text: String) throws -> ChildProcess.Result {
        let script = """
            import os, pty, sys, termios
            leader, follower = pty.openpty()
            if os.fork() == 0:
                os.close(leader)
                os.login_tty(follower) if hasattr(os, 'login_tty') else (
                    os.setsid(), [os.dup2(follower, n) for n in (0, 1, 2)])
                os.execv(sys.argv[1], sys.argv[1:-1])
            seen = b''
            while b': ' not in seen: seen += os.read(leader, 1000)
            os.write(leader, sys.argv[-1].encode())
            status = os.waitstatus_to_exitcode(os.wait()[1])
            os.set_blocking(leader, False)
            try:
                while True: seen += os.read(leader, 1000)
            except OSError: pass
            print(seen, bool(termios.tcgetattr(follower)[3] & termios.ECHO), flush=True)
            sys.exit(status)
            """
        return try ChildProcess(
            "python3",
            [
                "-c", script, BuiltProgram.deployex, "sign", package, "-s", desk("a.key"), text,
            ], environment: ["PATH": ThisHost.path, "HOME": desk.path], output: .pipe
        ).wait(within: .seconds(60))
    }

    @Test func `it asks for the password, and does not show it`() throws {
        let result = try sign(typing: "sesame\n")
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains("Password of \(desk("a.key")): "))
        #expect(!result.output.contains("sesame"))
        #expect(result.output.hasSuffix("True\n"))
        try expectVerified()
    }

    @Test func `a wrong password signs nothing`() throws {
        let result = try sign(typing: "sesam\n")
        #expect(result.status == 2)
        #expect(result.output.contains("the password is wrong"), "\(result)")
        #expect(!Files.exists(package + ".minisig"))
    }

    @Test func `Ctrl-C ends the question at once, and leaves the terminal as it was`() throws {
        let result = try sign(typing: "sesa\u{3}")
        #expect(result.status == 2)
        #expect(result.output.contains("no password was given"), "\(result)")
        #expect(result.output.hasSuffix("True\n"))
        #expect(!Files.exists(package + ".minisig"))
    }

    @Test func `without a terminal, the password is in a file that nobody else can read`() throws {
        func sign(_ variables: [String: String]) throws -> ChildProcess.Result {
            try ChildProcess(
                BuiltProgram.deployex, ["sign", package, "--key", desk("a.key")],
                environment: ["PATH": ThisHost.path].merging(variables) { $1 }, output: .pipe
            ).wait(within: .seconds(60))
        }
        let variable = "DEPLOYEX_SIGNING_PASSWORD_FILE"
        let none = try sign([:])
        #expect(none.status == 2)
        #expect(
            none.output.contains("there is no terminal to ask: name a file with it in \(variable)"))
        desk.write("sesame\n", "password", mode: 0o644)
        let open = try sign([variable: desk("password")])
        #expect(open.status == 2)
        #expect(open.output.contains("can be read by everyone"))
        #expect(!Files.exists(package + ".minisig"))
        chmod(desk("password"), 0o600)
        let signed = try sign([variable: desk("password")])
        #expect(signed.status == 0)
        #expect(
            signed.output
                == "signed counter 0.1.0 with the key 0505050505050505: \(package).minisig\n")
        try expectVerified()
    }

    @Test func `a secret key that others can read is no secret`() throws {
        chmod(desk("a.key"), 0o644)
        let result = try ChildProcess(
            BuiltProgram.deployex, ["sign", package, "--key", desk("a.key")], output: .pipe
        ).wait()
        #expect(result.status == 2)
        #expect(result.output.contains("can be read by everyone"))
    }

    @Test func `a signature of something else is not published`() throws {
        let store = ["DEPLOYEX_STORAGE_PATH": desk("store"), "PATH": ThisHost.path]
        func publish(_ arguments: String...) throws -> ChildProcess.Result {
            try ChildProcess(
                BuiltProgram.deployex, ["publish", package] + arguments, environment: store,
                output: .pipe
            ).wait(within: .seconds(60))
        }
        try ChildProcess.run(
            "minisign", ["-G", "-W", "-p", desk("b.pub"), "-s", desk("b.key")])
        let commands = ["--pre-command", "eval Counter.a", "--pre-command", "eval Counter.b"]
        try ChildProcess.run(
            BuiltProgram.deployex, ["sign", package, "-s", desk("b.key")] + commands)
        let other = try publish()
        #expect(other.status == 1)
        #expect(other.output.contains("is not published: its signature is for other pre-commands"))
        // minisign's own comment.
        try ChildProcess.run("minisign", ["-S", "-s", desk("b.key"), "-m", package])
        let strange = try publish()
        #expect(strange.status == 1)
        #expect(strange.output.contains("its signature does not say of which release it is"))
        #expect(!Files.exists(desk("store")))
        // A new signature instead.
        let published = try publish("--sign", desk("b.key"))
        #expect(published.status == 0, "\(published)")
        var status = stat()
        #expect(stat(desk("store/dist/counter"), &status) == 0 && status.st_mode & 0o777 == 0o755)
        #expect(
            desk.text("store/dist/counter/counter-0.1.0.tar.gz.minisig")?
                .contains("trusted comment: app:counter version:0.1.0 sha256:") == true)
    }
}

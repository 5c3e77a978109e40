import FoundationEssentials
import Glibc
import TestKit
import Testing

/// The commands that change what runs, on two instances of the example.
@Suite(.serialized, .sharedWorld(.init(replicas: 2, epmd: .deployex), running: "0.1.0"))
struct ControlTests {
    let world: DeployexWorld

    init() throws {
        world = try .current
    }

    @Test func `restart waits until another process of the instance runs, and touches no other`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let before = try await world.answers()
        let result = try await world.command("restart", "1")
        #expect(result.status == 0)
        #expect(result.stderr == "")
        let lines = result.stdout.split(separator: "\n")
        #expect(lines.first == "instance 1 is being restarted")
        let after = try await world.status(of: 1)
        #expect(lines.last == "counter-1 runs again as OS process \(after.osPid ?? 0)")
        #expect(after.osPid != before[0].osPID)
        #expect(after.status == "running")
        #expect(after.crashRestarts == 0)
        #expect(after.forcedRestarts >= 1)
        #expect(try await world.status(of: 2).osPid == before[1].osPID)
    }

    @Test func `a stopped instance stays stopped, over a start of deployex too, until start`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let pid = try #require(await world.answer(2)).osPID
        let stop = try await world.command("stop", "counter-2")
        #expect(stop.status == 0)
        #expect(stop.stdout.hasSuffix("counter-2 is stopped\n"))
        #expect(!ProcFolder.isRunning(pid))
        #expect(try await world.status(of: 2).stoppedByOperator)
        #expect(try await world.command("status").stdout.contains("2         stopped"))
        #expect(try await world.endDeployex(SIGTERM) == 0)
        try await world.startDeployex()
        #expect(try await world.status(of: 2).status == "idle")
        #expect(try await world.status(of: 2).stoppedByOperator)
        let start = try await world.command("start", "2")
        #expect(start.status == 0)
        #expect(start.stdout.hasSuffix("counter-2 is running\n"))
        #expect(await world.answer(2) != nil)
        #expect(try await !world.status(of: 2).stoppedByOperator)
    }

    @Test func `no-wait returns as soon as deployex has taken the command on`() async throws {
        try await world.bring(to: "0.1.0")
        let result = try await world.command("stop", "2", "--no-wait")
        #expect(result.status == 0)
        #expect(result.stdout.split(separator: "\n").count == 1)
        try await world.waitForStatus(of: 2) { $0.status == "idle" }
        #expect(try await world.command("start", "2").status == 0)
    }

    @Test func `a waiting command that runs out of time says how far it is, and exits 1`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let result = try await world.command("restart", "2", "--timeout", "0.3")
        #expect(result.status == 1)
        #expect(result.stderr.hasPrefix("deployex: counter-2 is "))
        #expect(result.stderr.hasSuffix("deployex goes on with it: see `deployex status`\n"))
        try await world.waitUntilAllRun("0.1.0")
    }

    @Test(arguments: [
        (["restart", "3"], "counter has no instance 3, only 1 to 2"),
        (["stop", "other-1"], "there is no application other, only counter"),
        (["logs", "1", "--app", "other"], "there is no application other, only counter"),
        (["unghost", "9.9.9"], "version 9.9.9 is not ghosted"),
    ])
    func `what deployex says no to is one line, and exits 1`(
        arguments: [String], message: String
    ) async throws {
        #expect(
            try await world.command(arguments)
                == CommandResult(status: 1, stdout: "", stderr: "deployex: \(message)\n"))
    }

    @Test(arguments: [
        ["deploy", "0.1.0"], ["rollback"], ["unghost", "0.1.0"], ["restart", "1"], ["stop", "1"],
        ["stop", "--all"], ["start", "1"], ["logs", "1"], ["remote"], ["versions"],
    ])
    func `without deployex every command exits 3`(arguments: [String]) async throws {
        let result = try await world.command(arguments, adding: ["ERL_EPMD_PORT": "1"])
        #expect(result.status == 3)
        #expect(result.stdout == "")
        #expect(result.stderr.count { $0 == "\n" } == 1)
    }

    @Test func `deploy stays with a version, rollback ghosts it, unghost and auto undo both`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        try await world.place("0.1.1")
        let deploy = try await world.command(["deploy", "0.1.1"], timeout: .seconds(60))
        #expect(deploy.status == 0, "\(deploy)")
        #expect(deploy.stdout.hasSuffix("counter 0.1.1 runs on 2 of 2 instances\n"))
        #expect(try await world.answers().map(\.version) == ["0.1.1", "0.1.1"])
        #expect(try await world.status()?.apps[0].pinnedVersion == "0.1.1")

        let back = try await world.command(["rollback"], timeout: .seconds(60))
        #expect(back.status == 0, "\(back)")
        #expect(back.stdout.hasSuffix("counter 0.1.0 runs on 2 of 2 instances\n"))
        #expect(try await world.answers().map(\.version) == ["0.1.0", "0.1.0"])
        let versions = try await world.command("versions")
        #expect(versions.stdout.contains("ghosted 0.1.1 "))
        #expect(versions.stdout.contains("rolled back by an operator"))
        #expect(versions.stdout.contains("rollback"))
        let json = try await world.command("versions", "--json")
        #expect(json.stdout.contains(#""outcome": "succeeded""#))
        let again = try await world.command("deploy", "0.1.1")
        #expect(again.status == 1)
        #expect(again.stderr.contains("`deployex unghost 0.1.1` first"))

        let unghost = try await world.command("unghost", "0.1.1")
        #expect(unghost.status == 0)
        #expect(unghost.stdout == "version 0.1.1 may be deployed again\n")
        try await world.waitUntilAllRun("0.1.1")
        let auto = try await world.command(["deploy", "auto"], timeout: .seconds(60))
        #expect(auto.status == 0, "\(auto)")
        #expect(try await world.answers().map(\.version) == ["0.1.0", "0.1.0"])
        #expect(try await world.status()?.apps[0].pinnedVersion == nil)
    }

    @Test func `a version without a package is refused at once, with the place`() async throws {
        let result = try await world.command("deploy", "9.9.9")
        let path = "\(world.storage)/dist/counter/counter-9.9.9.tar.gz"
        #expect(
            result
                == CommandResult(
                    status: 1, stdout: "",
                    stderr: "deployex: counter 9.9.9 cannot be deployed: no package at \(path): "
                        + "copy it there, or publish another version\n"))
        #expect(try await world.status()?.apps[0].pinnedVersion == nil)
    }

    @Test func `a stop that a start has overtaken ends, and says so`() async throws {
        try await world.bring(to: "0.1.0")
        // A node that the stop cannot end yet: its process is frozen.
        let pid = try await world.answers()[0].osPID
        kill(Int32(pid), SIGSTOP)
        try await world.startCommand(["stop", "1"])
        try await world.waitForOutput("counter-1 is stopping")
        let start = try await world.command("start", "1", "--no-wait")
        #expect(start.status == 0)
        let stop = await world.endStartedCommand(0)
        #expect(stop == 1)
        try await world.waitUntilAllRun("0.1.0")
    }

    @Test(arguments: ["all", "counter"])
    func `restart of several restarts one after the other`(target: String) async throws {
        try await world.bring(to: "0.1.0")
        let before = try await world.answers().map(\.osPID)
        let result = try await world.command(["restart", target], timeout: .seconds(60))
        #expect(result.status == 0, "\(result)")
        let steps = result.stdout.split(separator: "\n").filter {
            !$0.hasPrefix("counter-1 is") && !$0.hasPrefix("counter-2 is")
        }
        let after = try await world.answers().map(\.osPID)
        #expect(
            steps == [
                "counter: instance 1 is being restarted",
                "counter-1 runs again as OS process \(after[0])",
                "counter: instance 2 is being restarted",
                "counter-2 runs again as OS process \(after[1])",
            ])
        #expect(Set(before).isDisjoint(with: after))
    }

    @Test func `an application is stopped and started by its name, and deployex goes on`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        let stop = try await world.command(["stop", "counter"], timeout: .seconds(60))
        #expect(stop.status == 0, "\(stop)")
        #expect(try await world.status()?.apps[0].instances.map(\.status) == ["idle", "idle"])
        let restart = try await world.command("restart", "all")
        #expect(restart.status == 0)
        #expect(restart.stdout.contains("counter-2 stays stopped: `deployex start counter-2`"))
        let start = try await world.command(["start", "all"], timeout: .seconds(60))
        #expect(start.status == 0, "\(start)")
        try await world.waitUntilAllRun("0.1.0")
    }

    @Test func `logs of all shows both streams of each, with its name, also as they come`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        try await world.print("first\n", at: 1)
        try await world.print("second\n", at: 2)
        let all = try await world.command("logs", "-n", "1")
        #expect(all.status == 0)
        #expect(all.stdout.contains("counter-1 out | first\n"))
        #expect(all.stdout.contains("counter-2 out | second\n"))
        try await world.startCommand(["logs", "counter", "-f", "-n", "0"])
        try await world.waitForOutput("counter-1 out | begin", printing: "begin")
        for round in 0..<20 { try await world.print("line \(round)\n", at: 1 + round % 2) }
        try await world.waitForOutput("counter-2 out | line 19")
        for round in 0..<20 {
            let line = "counter-\(1 + round % 2) out | line \(round)\n"
            #expect(await world.lastOutput.contains(line))
        }
        #expect(await world.endStartedCommand(SIGINT) == 128 + SIGINT)
        let own = try await world.command("logs", "deployex")
        #expect(own.status == 1)
        #expect(own.stderr.hasPrefix("deployex: deployex keeps no log of its own here"))
    }

    @Test func `describe names everything of an instance, and no cookie`() async throws {
        try await world.bring(to: "0.1.0")
        let result = try await world.command("describe", "counter-2")
        #expect(result.status == 0, "\(result)")
        let pid = try await world.answers()[1].osPID
        for text in ["\n  process     \(pid), up ", "counter-2-stdout.log", "bin/counter remote"] {
            #expect(result.stdout.contains(text), "\(result.stdout)")
        }
        #expect(result.stdout.contains(#"RELEASE_COOKIE="$DEPLOYEX_ERLANG_COOKIE""#))
    }

    @Test func `a watched status is shown again at each change, and monit measures`() async throws {
        try await world.bring(to: "0.1.0")
        try await world.startCommand(["status", "--watch"])
        try await world.waitForOutput("2         running")
        let before = await world.lastOutput
        #expect(before.components(separatedBy: "INSTANCE").count == 2)
        #expect(try await world.command("stop", "2").status == 0)
        try await world.waitForOutput("2         stopped")
        #expect(await world.lastOutput.hasPrefix(before))
        #expect(try await world.command("start", "2").status == 0)
        #expect(await world.endStartedCommand(SIGINT) == 128 + SIGINT)
        try await world.startCommand(["monit", "--json"])
        // A processor's share needs two looks.
        try await world.waitForMeasurement()
        #expect(await world.lastOutput.contains(#""memory_bytes": "#))
        #expect(await world.endStartedCommand(SIGINT) == 128 + SIGINT)
    }

    @Test func `logs shows the last lines, of either stream`() async throws {
        try await world.print("one\ntwo\nthree\n", at: 1)
        let last = try await world.command("logs", "1", "-n", "2")
        #expect(last == CommandResult(status: 0, stdout: "two\nthree\n", stderr: ""))
        let errors = try await world.command("logs", "counter-1", "--stderr", "-n", "0")
        #expect(errors == CommandResult(status: 0, stdout: "", stderr: ""))
    }

    @Test func `a terminal obeys nothing that an application has printed, but shows its colours`()
        async throws
    {
        try await world.print("\\e[31mred\\e[0m \\e[2J\\x{202E}\n", at: 1)
        let raw = "\u{1B}[31mred\u{1B}[0m \u{1B}[2J\u{202E}"
        #expect(try await world.command("logs", "1", "-n", "1").stdout == raw + "\n")
        // script(1) gives its program a terminal, which ends lines with a carriage return.
        func shown(_ options: String) async throws -> String {
            try await world.run(
                "/usr/bin/script",
                ["-qec", "\(BuiltProgram.deployex) logs 1 -n 1 \(options)", "/dev/null"]
            ).stdout
        }
        let safe = "\u{1B}[31mred\u{1B}[0m \\x{1B}[2J\\x{202E}"
        #expect(try await shown("") == safe + "\r\n")
        #expect(try await shown("--raw") == raw + "\r\n")
    }

    @Test func `logs -f shows every line once, also over a restart, and ends on Ctrl-C`()
        async throws
    {
        try await world.bring(to: "0.1.0")
        try await world.startCommand(["logs", "1", "-f", "-n", "0"])
        // It follows from here on once its first answer has come; what comes before is not its.
        try await world.waitForLine("begin", printingIt: true)
        var wanted = 0
        for round in 0..<3 {
            let lines = (0..<400).map { "line \(round * 400 + $0)\n" }.joined()
            wanted += 400
            try await world.print(lines, at: 1)
            if round == 1 { #expect(try await world.command("restart", "1").status == 0) }
        }
        try await world.waitForLine("line \(wanted - 1)")
        let found = await world.lastOutput.split(separator: "\n").filter { $0.hasPrefix("line ") }
        #expect(found.map(String.init) == (0..<wanted).map { "line \($0)" })
        #expect(await world.endStartedCommand(SIGINT) == 128 + SIGINT)
    }

    @Test func `logs -f ends when its reader has gone`() async throws {
        try await world.print("something\n", at: 1)
        let result = try await world.run(
            "/bin/sh", ["-c", "\"$0\" logs 1 -f -n 1 | head -n 1", BuiltProgram.deployex],
            timeout: .seconds(10))
        #expect(result == CommandResult(status: 0, stdout: "something\n", stderr: ""))
    }

    @Test func `a BEAM gives the same commands, and mistakes are answers`() async throws {
        try await world.bring(to: "0.1.0")
        let printed = try await world.erlang(
            """
            Call = fun(F, A) ->
                io:format("~0p~n", [rpc:call('deployex@\(ThisHost.name)', deployex, F, A)]) end,
            Call(restart, [7]), Call(restart, [<<"counter-9">>]), Call(stop, [{}]),
            Call(deploy, [<<"../x">>]), Call(unghost, [counter, "9.9"]),
            Call(tail, [1, stdin, 3]), Call(read_log, [1, stdout, nonsense]),
            Call(restart, [1, 2, 3]),
            {ok, I} = rpc:call('deployex@\(ThisHost.name)', deployex, instance, [<<"counter-2">>]),
            io:format("~s~n", [maps:get(program, I)])
            """)
        let lines = printed.split(separator: "\n").map(String.init)
        try #require(lines.count == 9)
        #expect(lines[0] == #"{error,<<"counter has no instance 7, only 1 to 2">>}"#)
        #expect(lines[1] == #"{error,<<"counter has no instance 9, only 1 to 2">>}"#)
        #expect(lines[2] == #"{error,<<"an instance is a number or a name as text, not {}">>}"#)
        #expect(lines[3].hasPrefix(#"{error,<<"a version is text of letters"#))
        #expect(lines[4] == #"{error,<<"version 9.9 is not ghosted">>}"#)
        #expect(lines[5] == #"{error,<<"a stream is stdout or stderr, not stdin">>}"#)
        #expect(lines[6].hasPrefix("{error,<<"))
        #expect(lines[7].contains("undef"))
        #expect(lines[8] == world.service(2, "current/bin/counter"))
    }

    @Test func `remote becomes the release's own shell, on the user's terminal`() async throws {
        try await world.bring(to: "0.1.0")
        let script = """
            import os, pty, select, sys, time
            pid, terminal = pty.fork()
            if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
            text = b''
            def wait(words):
                global text
                end = time.time() + 30
                while words not in text:
                    if time.time() > end: sys.exit('no %r in %r' % (words, text))
                    if select.select([terminal], [], [], 0.2)[0]: text += os.read(terminal, 4096)
            wait(b'iex(counter-2@')
            print(os.readlink('/proc/%d/exe' % pid))
            os.write(terminal, b'IO.puts("sum=#{40 + 2} #{node()}")\\r')
            wait(b'sum=42 counter-2@')
            os.write(terminal, b'\\x1c')
            try:
                while os.read(terminal, 4096): pass
            except OSError: pass
            os.waitpid(pid, 0)
            print('ended')
            """
        let result = try await world.run(
            ThisHost.find("python3"), ["-c", script, BuiltProgram.deployex, "remote", "2"],
            environment: world.variables.merging(["TERM": "xterm"]) { $1 }, timeout: .seconds(60))
        #expect(result.status == 0, "\(result)")
        let lines = result.stdout.split(separator: "\n")
        try #require(lines.count == 2, "\(result)")
        // The very process that was deployex is the virtual machine by now.
        #expect(lines[0].hasPrefix(world.service(2)) && lines[0].contains("beam"))
        #expect(lines[1] == "ended")
    }

    @Test func `completion words are what runs`() async throws {
        #expect(
            try await world.command("completion", "instances").stdout == "counter-1\ncounter-2\n")
        #expect(try await world.command("completion", "applications").stdout == "counter\n")
        #expect(
            try await world.command("completion", "targets").stdout
                == "counter\ncounter-1\ncounter-2\n")
        let silent = try await world.command(
            ["completion", "instances"], adding: ["ERL_EPMD_PORT": "1"])
        #expect(silent.stdout == "" && silent.stderr == "")
    }
}

/// Commands after which little is as before.
@Suite struct EndingCommandTests {
    @Test func `stop --all stops every instance, ends deployex, and leaves no process behind`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .real)) { world in
            try await world.bring(to: "0.1.0")
            let leaders = try await world.answers().map(\.osPID)
            let program = try await world.startProgram(in: 1)
            let all = leaders + leaders.flatMap { ProcFolder.descendants($0) }
            #expect(all.contains(program))

            let stop = try await world.command("stop", "--all")
            #expect(stop.status == 0, "\(stop)")
            #expect(stop.stdout.hasSuffix("every instance is stopped, and deployex ends\n"))
            #expect(all.filter { ProcFolder.isRunning($0) } == [])
            #expect(try await world.waitForDeployex() == 0)
            #expect(await world.strays == [])
            let log = await world.log
            #expect(log.contains("[info] stop --all asked for by "))
            #expect(log.hasSuffix("[info] deployex has stopped\n"))
            // Nobody was killed for it: both had stopped in time.
            #expect(!log.contains("is killed"))
        }
    }

    @Test func `stop --all --no-wait returns when all have begun to stop, and all of it ends`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .real)) { world in
            try await world.bring(to: "0.1.0")
            let stop = try await world.command("stop", "--all", "--no-wait")
            #expect(stop.status == 0 && stop.stderr == "", "\(stop)")
            #expect(!stop.stdout.contains("every instance is stopped"))
            #expect(try await world.waitForDeployex() == 0)
            #expect(await world.strays == [])
        }
    }

    @Test func `stop --all --no-wait fails when it cannot see that all have begun to stop`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .real), isStarted: false) { world in
            try await world.startEPMD()
            try await world.startDeployexInErlang(
                """
                -module(deployex).
                -export([stop_all/0, await/3]).
                stop_all() -> receive after infinity -> ok end.
                await(_, _, _) -> {error, <<"too many are waiting">>}.
                """)
            let stop = try await world.command("stop", "--all", "--no-wait")
            #expect(
                stop
                    == CommandResult(
                        status: 1, stdout: "", stderr: "deployex: too many are waiting\n"))
        }
    }

    @Test func `stop --all --no-wait takes the answer of a deployex that ends at once`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .real), isStarted: false) { world in
            try await world.startEPMD()
            try await world.startDeployexInErlang(
                """
                -module(deployex).
                -export([stop_all/0, await/3]).
                stop_all() -> timer:sleep(300), {ok, <<"all is stopped">>}.
                await(_, _, _) -> {ending, <<"it is ending">>}.
                """)
            let stop = try await world.command("stop", "--all", "--no-wait")
            #expect(stop == CommandResult(status: 0, stdout: "all is stopped\n", stderr: ""))
        }
    }

    @Test func `a deployment that is taken back exits 1 with the reason and is in the history`()
        async throws
    {
        let options = DeployexWorld.Options(
            epmd: .deployex, variables: ["DEPLOYEX_ROLLBACK_CRASHES": "1"])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            try await world.place("0.1.3")
            let result = try await world.command(["deploy", "0.1.3"], timeout: .seconds(60))
            #expect(result.status == 1)
            #expect(
                result.stderr.hasPrefix("deployex: counter 0.1.3 was taken back: "), "\(result)")
            try await world.waitUntilAllRun("0.1.0")
            let versions = try await world.command("versions")
            #expect(versions.stdout.contains("ghosted 0.1.3 "))
            #expect(versions.stdout.contains("failed"))
            #expect(try await world.command("status").stdout.contains("ghosted 0.1.3"))
        }
    }
}

extension DeployexWorld {
    /// As ``command(_:adding:)-([String],_)``, for what takes longer.
    func command(_ arguments: [String], timeout: Duration) throws -> CommandResult {
        try run(BuiltProgram.deployex, arguments, timeout: timeout)
    }

    func waitForStatus(
        of instance: Int, _ condition: (StatusAnswer.Instance) -> Bool
    ) throws {
        try wait("the status of instance \(instance)") {
            guard let found = try status()?.instances.first(where: { $0.instance == instance })
            else { return false }
            return condition(found)
        }
    }

    /// Lets an instance print text to its standard output.
    func print(_ text: String, at instance: Int) throws {
        let escaped = text.replacing("\n", with: "~n")
        let result = try command(
            "rpc", node(instance), "io", "format", "[user,\"\(escaped)\",[]]")
        guard result.status == 0 else { throw TestFailure("io:format: \(result)") }
    }

    /// Waits until the command started last has shown a line, which instance 1 prints again and again
    /// if asked to.
    func waitForLine(_ line: String, printingIt: Bool = false) throws {
        try wait("the line \(line)") {
            if printingIt { try print("\(line)\n", at: 1) }
            return lastOutput.contains("\(line)\n")
        }
    }

    /// As ``waitForOutput(_:)``, while instance 1 prints `line` again and again.
    func waitForOutput(_ words: String, printing line: String) throws {
        try wait("a command to print \(words)") {
            try print("\(line)\n", at: 1)
            return lastOutput.contains(words)
        }
    }

    func waitForMeasurement() throws {
        try wait("a command to print what a processor does") {
            lastOutput.components(separatedBy: #""cpu_percent": "#).dropFirst().contains {
                $0.first?.isNumber == true
            }
        }
    }
}

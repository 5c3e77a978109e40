import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Other users of the host, and programs that take a name.
@Suite struct StrangerTests {
    static let isRoot = geteuid() == 0
    static let stranger: UInt32 = 54_321

    @Test func `an EPMD that is lost is started again`() async throws {
        try await DeployexWorld.run { world in
            let mark = await world.logMark
            let epmd = try #require(await world.strays.first)
            kill(epmd, SIGKILL)
            try await world.waitForLog("[warning]", "registering again", after: mark)
            try await world.waitForLog("No EPMD at", "starting one", after: mark)
            try await world.waitForLog("[info] Registered deployex@", after: mark)
            #expect(await world.strays.filter { $0 != epmd }.count == 1)
            let names = try await world.command("names")
            #expect(names.stdout.hasPrefix("name deployex at port "))
        }
    }

    @Test(.enabled(if: isRoot, "root alone can start a program as another user"))
    func `a stranger's EPMD is neither registered with nor asked`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            try await world.startAs(
                user: Self.stranger, BuiltProgram.deployex, ["epmd"])
            try await world.wait("the stranger's EPMD to listen") {
                FreePorts.isListening(world.epmdPort)
            }
            try await world.launchDeployex()
            #expect(try await world.waitForDeployex() == 3)
            let reason =
                "EPMD at 127.0.0.1:\(world.epmdPort) belongs to uid 54321: stop it, or name the "
                + "user in DEPLOYEX_TRUSTED_USERS"
            #expect(await world.log.contains(reason))
            for arguments in [["names"], ["status"], ["epmd", "--daemon"], ["ping", "counter-1"]] {
                let result = try await world.command(arguments)
                #expect(result.status == 3)
                #expect(result.stderr.contains(reason))
            }
        }
    }

    @Test(.enabled(if: isRoot, "root alone can start a program as another user"))
    func `a stranger who takes EPMD's place while deployex runs is told of and not used`()
        async throws
    {
        try await DeployexWorld.run { world in
            let mark = await world.logMark
            let epmd = try #require(await world.strays.first)
            // Otherwise deployex itself may be the one who takes it.
            try await world.signalDeployex(SIGSTOP)
            kill(epmd, SIGKILL)
            try await world.wait("the place to be free") {
                !FreePorts.isListening(world.epmdPort)
            }
            try await world.startAs(
                user: Self.stranger, BuiltProgram.deployex, ["epmd"])
            try await world.wait("the stranger's EPMD to listen") {
                FreePorts.isListening(world.epmdPort)
            }
            try await world.signalDeployex(SIGCONT)
            try await world.waitForLog(
                "[error]", "EPMD at 127.0.0.1:\(world.epmdPort) belongs to uid 54321", after: mark)
            await world.endOther()
            try await world.waitForLog("[info] Registered deployex@", after: mark)
            #expect(try await world.status()?.node == "deployex@\(ThisHost.name)")
        }
    }

    /// Who listens as `counter-1` before the instance does.
    enum Impostor: CaseIterable {
        /// Another user, without the cookie: it would relay what deployex answers.
        case stranger
        /// A program of the same user, with the cookie.
        case namesake
    }

    @Test(
        .enabled(if: isRoot, "root alone can start a program as another user"),
        arguments: Impostor.allCases)
    func `who takes an instance's name is not taken for it`(impostor: Impostor) async throws {
        try await DeployexWorld.run { world in
            let user = impostor == .stranger ? Self.stranger : 0
            let cookie = impostor == .stranger ? "another" : world.options.cookie
            try await world.startAs(
                user: user, ThisHost.find("erl"),
                ["-noinput", "-sname", "counter-1", "-setcookie", cookie])
            try await world.waitForName("counter-1")
            let mark = await world.logMark
            try await world.publish("0.1.0")
            let line = try await world.waitForLog(
                "[error]", "counter-1@\(ThisHost.name) is not connected to", after: mark)
            switch impostor {
            case .stranger:
                #expect(line.contains("belongs to uid 54321: stop it, or name the user in"))
            case .namesake:
                #expect(line.contains("is no process of counter-1, OS process "))
            }
            #expect(try await world.status()?.apps.first?.instances.first?.otp != "connected")
        }
    }

    @Test func `where the base path has changed, the one of the processes that run is named`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.bring(to: "0.1.0")
            let pid = try #require(await world.answer(1)?.osPID)
            #expect(try await world.endDeployex(SIGTERM) == 0)
            let mark = await world.logMark
            try await world.startDeployex(adding: [
                "DEPLOYEX_BASE_PATH": world.folder + "/other", "DEPLOYEX_ROLLBACK_CRASHES": "1",
            ])
            try await world.waitForLog(
                "[error]", "counter-1@\(ThisHost.name) is not connected to",
                "is no process of counter-1", "stop what has taken its name, OS process \(pid), ",
                "of a deployex with the base path \(world.base)", after: mark)
            // Its own process has not been ready: it is not the one that answers.
            let instance = try #require(await world.status()?.instances.first)
            #expect(instance.otp == "not_connected" && instance.osPid != pid, "\(instance)")
            #expect(await world.answer(1)?.osPID == pid)
        }
    }

    @Test func `an EPMD that is lost is started again after the program has been replaced`()
        async throws
    {
        try await DeployexWorld.run(isStarted: false) { world in
            let (program, newer) = ("\(world.folder)/deployex", "\(world.folder)/deployex.new")
            for path in [program, newer] {
                try FileManager.default.copyItem(atPath: BuiltProgram.deployex, toPath: path)
            }
            // In the place of the build's program, which comes as the first argument.
            try await world.startDeployex(
                through: ["/bin/sh", "-c", "shift; exec \(program) \"$@\"", "sh"])
            try #require(rename(newer, program) == 0)
            let mark = await world.logMark
            let own = await world.deployexPID
            let epmd = try #require(await world.strays.first { $0 != own })
            kill(epmd, SIGKILL)
            try await world.waitForLog("No EPMD at", "starting one", after: mark)
            try await world.waitForLog("[info] Registered deployex@", after: mark)
            let another = try #require(await world.strays.first { $0 != epmd && $0 != own })
            #expect(ProcFolder.arguments(another) == ["deployex", "epmd"])
            #expect(
                try String(contentsOfFile: "/proc/\(another)/comm", encoding: .utf8) == "deployex\n"
            )
        }
    }

    @Test func `who starts an EPMD that cannot listen is told why`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            let elsewhere = ["ERL_EPMD_ADDRESS": "192.0.2.1"]
            let begin = ContinuousClock.now
            try await world.launchDeployex(adding: elsewhere)
            #expect(try await world.waitForDeployex() == 3)
            let reason = "starting EPMD: it has ended with exit status 1: "
            let log = await world.log
            #expect(log.contains(reason) && log.contains("192.0.2.1:\(world.epmdPort)"), "\(log)")
            let result = try await world.command(["epmd", "--daemon"], adding: elsewhere)
            #expect(result.status == 3)
            #expect(result.stderr.contains(reason))
            #expect(ContinuousClock.now - begin < .seconds(8))
        }
    }

    @Test(.enabled(if: isRoot, "only root has rights to give up"))
    func `an EPMD of a root that may not become another user serves, and says so`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            // As in a container without these capabilities.
            try await world.startDeployex(
                through: [ThisHost.find("setpriv"), "--bounding-set=-setuid,-setgid"])
            try await world.waitForLog(
                "[warning] EPMD: warning: root's rights are kept: giving up root's rights: ",
                "operation not permitted")
            let names = try await world.command("names")
            #expect(names.stdout.hasPrefix("name deployex at port "))
        }
    }

    @Test func `who connects under an instance's name and is not the instance is refused`()
        async throws
    {
        try await DeployexWorld.run { world in
            let ping = "io:format(\"~p\", [net_adm:ping('deployex@\(ThisHost.name)')]), halt()."
            // It has the cookie, and does not listen, so that the name is no obstacle.
            let impostor = [
                "-noinput", "-sname", "counter-1", "-dist_listen", "false",
                "-setcookie", world.options.cookie, "-eval", ping,
            ]
            #expect(try await world.run(ThisHost.find("erl"), impostor).stdout == "pang")
            try await world.waitForLog(
                "which calls itself counter-1@",
                "was refused: it is not counter-1, of which no process")
            try await world.publish("0.1.0")
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.run(ThisHost.find("erl"), impostor).stdout == "pang")
            try await world.waitForLog(
                "which calls itself counter-1@",
                "was refused: it is no process of counter-1, OS process")
            #expect(try await world.status()?.apps.first?.instances.first?.otp == "connected")
        }
    }

    @Test func `an instance may connect itself`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            // Of two that connect to each other at once the greater name's attempt goes on: the instance's.
            try await world.startDeployex(
                through: [
                    "/bin/sh", "-c", "exec \(BuiltProgram.deployex) start --sname a", "sh",
                ])
            try await world.publish("0.1.0")
            // Deployex is connected to it.
            try await world.waitForLog("Application instance: 1 is running")
            let connect = #"""
                {ok, Tokens, _} = erl_scan:string("D = 'a@\#(ThisHost.name)', "
                    "erlang:disconnect_node(D), spawn(fun() -> net_adm:ping(D) end), left."),
                {ok, Expressions} = erl_parse:parse_exprs(Tokens),
                {value, Answer, _} =
                    rpc:call('\#(world.node(1))', erl_eval, exprs, [Expressions, []]),
                io:format("~p", [Answer])
                """#
            // Frozen, deployex does not connect again before the instance has tried to.
            try await world.signalDeployex(SIGSTOP)
            #expect(try await world.erlang(connect) == "left")
            try await world.signalDeployex(SIGCONT)
            try await world.waitForLog("\(world.node(1)) has connected from 127.0.0.1")
            #expect(await !world.log.contains("was refused"))
        }
    }
}

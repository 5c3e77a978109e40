import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What becomes of the instances when deployex ends, as asked or not.
@Suite struct LifeTests {
    @Test func `SIGTERM ends deployex alone, and the next one takes every instance over`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .real)) { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.answers()
            for leader in before.map(\.osPID) {
                #expect(ProcFolder.session(leader) == leader)
            }
            let status = try await world.endDeployex(SIGTERM)
            #expect(status == 0)
            #expect(await world.log.hasSuffix("[info] deployex has stopped\n"))
            #expect(try await world.answers() == before)

            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers() == before)
            #expect(try await world.status()?.instances.map(\.crashRestarts) == [0, 0])
        }
    }

    @Test func `signals that nobody means to end deployex with do not end it`() async throws {
        try await DeployexWorld.run(.init(epmd: .startedByDeployex)) { world in
            let deployex = try #require(await world.deployexPID)
            let epmd = try #require(await world.strays.first)
            let signals = [
                (SIGUSR1, "SIGUSR1"), (SIGUSR2, "SIGUSR2"),
                (SIGALRM, "SIGALRM"), (SIGVTALRM, "SIGVTALRM"), (SIGPROF, "SIGPROF"),
                (SIGIO, "SIGIO"), (SIGPWR, "SIGPWR"), (34, "signal 34"), (64, "signal 64"),
            ]
            for (signal, name) in signals {
                let mark = await world.logMark
                kill(epmd, signal)
                try await world.signalDeployex(signal)
                try await world.waitForLog("\(name): ignored", after: mark)
            }
            #expect(await world.deployexPID == deployex)
            // Both answer.
            #expect(try await world.status() != nil)
            #expect(try await world.command("names").stdout.contains("name deployex at port "))
            #expect(await world.strays.contains(epmd))
        }
    }

    @Test func `SIGHUP opens deployex's own logs anew`() async throws {
        let variables = [
            "DEPLOYEX_CLOUD_ENVIRONMENT": "local", "DEPLOYEX_STORAGE_ADAPTER": "local",
            "DEPLOYEX_MONITORED_APP_USER": "\(getuid())",
        ]
        try await DeployexWorld.run(.init(epmd: .deployex, variables: variables)) { world in
            let path = world.folder + "/log/deployex/deployex-stdout.log"
            try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
            try await world.signalDeployex(SIGHUP)
            try await world.waitForLog("SIGHUP: deployex's own logs are opened anew")
            try await world.wait("the new log") {
                (try? String(contentsOfFile: path, encoding: .utf8))?.contains("SIGHUP") == true
            }
            #expect(try await world.status() != nil)
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a second signal ends at once what something holds up`(signal: Int32) async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            let name = signal == SIGINT ? "Ctrl-C" : "SIGTERM"
            try await world.place("0.1.0")
            // Deployex does not leave a folder that a pre-command works in.
            try await world.publish(
                catalog: #"""
                    {"version":"0.1.0","hash":"local",
                     "pre_commands":["eval 'IO.puts(:begun); Process.sleep(60000)'"]}
                    """#)
            try await world.waitForPreCommand("begun")
            try await world.signalDeployex(signal)
            try await world.waitForLog("[info] \(name): the applications go on running")
            let status = try await world.endDeployex(signal)
            #expect(status == 128 + signal)
            #expect(await world.log.hasSuffix("[warning] \(name) again: ending at once\n"))
        }
    }

    @Test func `after kill -9 the next one goes on as if nothing had happened`() async throws {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let crashed = try await world.answers()[0].osPID
            await world.kill(crashed)
            _ = try await world.waitForAnswer(1, version: "0.1.0", otherThan: crashed)
            try await world.waitUntilAllRun("0.1.0")
            let before = try await world.answers()
            let uptime = try #require(try await world.status(of: 2).uptimeSeconds)
            let killed = try await world.endDeployex(SIGKILL)
            #expect(killed == 128 + SIGKILL)

            let mark = await world.logMark
            try await world.startDeployex()
            for (index, pid) in before.map(\.osPID).enumerated() {
                try await world.waitForLog(
                    "Adopted instance: \(index + 1), monitoring OS process id = \(pid)",
                    after: mark)
            }
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers() == before)
            let instances = try #require(try await world.status()).instances
            #expect(instances.map(\.crashRestarts) == [1, 0])
            #expect(instances.map(\.osPid) == before.map(\.osPID))
            #expect(try #require(instances[1].uptimeSeconds) >= uptime)

            // Crash detection and restart go on too.
            await world.kill(before[1].osPID)
            _ = try await world.waitForAnswer(2, version: "0.1.0", otherThan: before[1].osPID)
            #expect(try await world.status(of: 2).crashRestarts == 1)
            #expect(try await world.answers()[0] == before[0])
        }
    }

    @Test func `an instance that died while no deployex ran is started again, and counted`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.answers()
            _ = try await world.endDeployex(SIGKILL)
            await world.kill(before[0].osPID)
            try await world.waitUntilGone(before[0].osPID)
            try await world.startDeployex()
            _ = try await world.waitForAnswer(1, version: "0.1.0", otherThan: before[0].osPID)
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.status()?.instances.map(\.crashRestarts) == [1, 0])
            #expect(try await world.answers()[1] == before[1])
        }
    }

    @Test func `a lost or damaged record does not lose the process`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.answers()
            _ = try await world.endDeployex(SIGKILL)
            let path = world.base + "/run/counter-1.json"
            try "{".write(toFile: path, atomically: true, encoding: .utf8)
            let versionPath = world.base + "/version/counter/1/current.json"
            try "".write(toFile: versionPath, atomically: true, encoding: .utf8)
            let mark = await world.logMark
            try await world.startDeployex()
            try await world.waitForLog("The record of counter-1 is damaged", after: mark)
            try await world.waitForLog("Found the process of instance: 1", after: mark)
            try await world.waitForLog("current.json is damaged", after: mark)
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers() == before)
            #expect(try await world.versionFile(1, "current").hash == "local")
        }
    }

    @Test func `a second deployex on the same base folder says who holds it, and exits 2`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let pid = try #require(await world.deployexPID)
            let result = try await world.command("start", "--sname", "other")
            #expect(result.status == 2)
            #expect(result.stderr.contains("another deployex (process \(pid)) works in"))
            #expect(try await world.answers()[0].version == "0.1.0")
        }
    }

    @Test func `a frozen instance is noticed in under two seconds, and started anew in the end`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let pid = try await world.answers()[0].osPID
            let mark = await world.logMark
            let begin = ContinuousClock.now
            await world.kill(pid, SIGSTOP)
            try await world.waitForLog("Instance: 1 does not respond", after: mark)
            #expect(ContinuousClock.now - begin < .seconds(4))
            _ = try await world.waitForAnswer(version: "0.1.0", otherThan: pid)
            #expect(try await world.status(of: 1).crashRestarts == 1)
        }
    }

    @Test func `a node that reboots in place is noticed and counted`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.answers()[0]
            let mark = await world.logMark
            _ = try await world.command("rpc", world.node(1), "init", "restart", "[]")
            try await world.waitForLog(
                "Application instance: 1 rebooted by itself in the same process", after: mark)
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers()[0].osPID == before.osPID)
            #expect(try await world.status(of: 1).crashRestarts == 1)
        }
    }

    @Test func `a recorded pid that is another process by now is left alone`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let left = try await world.answers()[0].osPID
            let killed = try await world.endDeployex(SIGKILL)
            #expect(killed == 128 + SIGKILL)
            // As if the process had ended, and its pid had been given to a stranger.
            let stranger = try await world.startStranger()
            let path = world.base + "/run/counter-1.json"
            let record = try #require(world.text(path))
            let edited = record.replacing(#""pid":\#(left),"#, with: #""pid":\#(stranger),"#)
            #expect(edited != record)
            try edited.write(toFile: path, atomically: true, encoding: .utf8)
            await world.kill(left)
            try await world.waitUntilGone(left)

            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(ProcFolder.isRunning(stranger))
            #expect(await !world.log.contains("Adopted instance: 1"))
        }
    }

    @Test func `what a killed start was unpacking is removed by the next`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.publish("0.1.0")
            try await world.waitForStaging()
            _ = try await world.endDeployex(SIGKILL)
            #expect(world.serviceEntries(1).contains { $0.hasPrefix("new") })
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(world.serviceEntries(1) == ["current"])
        }
    }

    @Test func `output is appended to the same files across restarts`() async throws {
        try await DeployexWorld.run { world in
            try await world.bring(to: "0.1.0")
            let output = world.folder + "/log/counter/counter-1-stdout.log"
            let first = try #require(world.text(output))
            #expect(first.contains("counter 0.1.0 listens on 127.0.0.1:\(world.firstPort)"))
            #expect(world.text(world.folder + "/log/counter/counter-1-stderr.log") != nil)

            let pid = try await world.answers()[0].osPID
            await world.kill(pid)
            _ = try await world.waitForAnswer(version: "0.1.0", otherThan: pid)
            let second = try #require(world.text(output))
            #expect(second.hasPrefix(first) && second.count > first.count)

            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(try #require(world.text(output)).hasPrefix(second))
        }
    }
}

extension DeployexWorld {
    /// Lets an instance start a program that cares for neither a closed pipe nor a lost parent.
    func startProgram(in instance: Int) throws -> pid_t {
        let result = try command(
            "rpc", node(instance), "erlang", "open_port",
            #"[{spawn_executable,"/bin/sleep"},[{args,["600"]}]]"#)
        guard result.status == 0 else { throw TestFailure("open_port: \(result)") }
        let leader = answer(instance)?.osPID ?? 0
        let found = ProcFolder.descendants(leader).first {
            ProcFolder.arguments($0) == ["/bin/sleep", "600"]
        }
        guard let found else { throw TestFailure("the program does not run") }
        return found
    }

    /// Waits until a pre-command has printed a line.
    func waitForPreCommand(_ line: String) throws {
        try wait("a pre-command to print \(line)") {
            text(folder + "/log/counter/counter-pre-commands.log")?.contains(line + "\n") == true
        }
    }

    /// Waits until a package is being unpacked.
    func waitForStaging() throws {
        try wait("a package to be unpacked") {
            serviceEntries(1).contains { $0.hasPrefix("new") }
        }
    }

    func waitUntilGone(_ pid: pid_t) throws {
        try wait("process \(pid) to end") { !ProcFolder.isRunning(pid) }
    }
}

import FoundationEssentials
import Glibc
import Testing

/// What becomes of the instances when deployex ends, as asked or not.
@Suite struct LifeTests {
    @Test func `stop --all stops every instance, ends deployex, and leaves no process behind`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .real)) { world in
            try await world.bring(to: "0.1.0")
            let leaders = try await world.answers().map(\.osPID)
            for leader in leaders {
                #expect(ProcFolder.session(leader) == leader)
            }
            let program = try await world.startProgram(in: 1)
            let all = leaders + leaders.flatMap { ProcFolder.descendants($0) }
            #expect(all.contains(program))

            let stop = try await world.command("stop", "--all")
            #expect(stop.status == 0)
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

    @Test func `SIGTERM ends deployex, exits 0, and leaves the applications running`() async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let leaders = try await world.answers().map(\.osPID)
            #expect(try await world.endDeployex(SIGTERM) == 0)
            let log = await world.log
            #expect(
                log.contains(
                    "[info] SIGTERM: the applications go on running; `deployex stop --all` ends "
                        + "them"))
            #expect(log.hasSuffix("[info] deployex has stopped\n"))
            #expect(try await world.answers().map(\.osPID) == leaders)

            let mark = await world.logMark
            try await world.startDeployex()
            for (index, pid) in leaders.enumerated() {
                try await world.waitForLog(
                    "Adopted instance: \(index + 1), monitoring OS process id = \(pid)",
                    after: mark)
            }
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers().map(\.osPID) == leaders)
        }
    }

    @Test func `a start after kill -9 takes over what was left, by its identity`() async throws {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let leaders = try await world.answers().map(\.osPID)
            let program = try await world.startProgram(in: 2)
            let killed = try await world.endDeployex(SIGKILL)
            #expect(killed == 128 + SIGKILL)
            // Nothing hangs on deployex: they go on.
            #expect(try await world.answers().map(\.osPID) == leaders)

            let mark = await world.logMark
            try await world.startDeployex()
            for (index, pid) in leaders.enumerated() {
                try await world.waitForLog(
                    "Adopted instance: \(index + 1), monitoring OS process id = \(pid)",
                    after: mark)
            }
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers().map(\.osPID) == leaders)
            #expect(ProcFolder.isRunning(program))
            // One virtual machine for each port, and nothing else of the releases.
            let family = Set(leaders + leaders.flatMap { ProcFolder.descendants($0) })
            #expect(Set(await world.instancePIDs).subtracting(family) == [])
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
            #expect(await !world.log.contains("still ran from an earlier start"))
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

            #expect(try await world.command("stop", "--all").status == 0)
            #expect(try await world.waitForDeployex() == 0)
            let third = try #require(world.text(output))
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            let fourth = try #require(world.text(output))
            #expect(third.hasPrefix(second))
            #expect(fourth.hasPrefix(third) && fourth.count > third.count)
        }
    }
}

extension DeployexWorld {
    /// Lets an instance start a program that cares for neither a closed pipe nor a lost parent.
    func startProgram(in instance: Int) throws -> pid_t {
        let result = try command(
            "rpc", node(instance), "erlang", "open_port",
            #"[{spawn_executable,"/bin/sleep"},[{args,["600"]}]]"#)
        guard result.status == 0 else { throw WorldError("open_port: \(result)") }
        let leader = answer(instance)?.osPID ?? 0
        let found = ProcFolder.descendants(leader).first {
            ProcFolder.arguments($0) == ["/bin/sleep", "600"]
        }
        guard let found else { throw WorldError("the program does not run") }
        programs.append(found)
        return found
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

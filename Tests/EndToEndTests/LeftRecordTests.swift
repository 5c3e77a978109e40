import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What `deployex start` leaves in its base folder, for its next start and for commands.
@Suite struct LeftRecordTests {
    @Test func `a cookie that start has made is in one private file, and the next start takes it`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex, cookie: "")) { world in
            try await world.bring(to: "0.1.0")
            let path = world.base + "/node.json"
            let cookie = try #require(world.cookie(in: path))
            #expect(cookie.count == 64 && cookie.allSatisfy(\.isHexDigit))
            for file in [path, path + ".spare"] {
                var status = stat()
                #expect(lstat(file, &status) == 0 && status.st_mode & 0o7777 == 0o600)
            }
            let deployex = try #require(await world.deployexPID)
            #expect(!ProcFolder.arguments(deployex).contains { $0.contains(cookie) })
            #expect(await !world.log.contains(cookie))
            #expect(await world.log.contains("There was no cookie: a new one is in \(path)"))

            // The instances have the one that was made, whatever there is meanwhile.
            let pid = try await world.answers()[0].osPID
            #expect(try await world.endDeployex(SIGTERM) == 0)
            let home = world.folder + "/home/.erlang.cookie"
            try Files.write(Array("another-cookie-of-the-user".utf8), home, mode: 0o400)
            let mark = await world.logMark
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.status(of: 1).osPid == pid)
            #expect(
                await world.log(after: mark).contains("and not the one in ~/.erlang.cookie"))
            #expect(world.cookie(in: path) == cookie)

            // One that others could read is not replaced by another that no instance has.
            #expect(try await world.endDeployex(SIGTERM) == 0)
            chmod(path, 0o644)
            let refused = try await world.command("start")
            #expect(refused.status == 2)
            #expect(refused.stderr.contains(path), "\(refused)")
            #expect(refused.stderr.contains("DEPLOYEX_COOKIE_FILE"))
            #expect(world.cookie(in: path) == cookie)
            chmod(path, 0o600)

            // What is given wins, and is what commands then find.
            try await world.startDeployex(adding: ["DEPLOYEX_COOKIE_FILE": home])
            #expect(world.cookie(in: path) == "another-cookie-of-the-user")
            #expect(try await world.command("status").status == 0)

            // Who gives it each time needs no advice.
            let given = ["DEPLOYEX_ERLANG_COOKIE": "cookie-of-the-variable"]
            for _ in 1...2 {
                #expect(try await world.endDeployex(SIGTERM) == 0)
                let mark = await world.logMark
                try await world.startDeployex(adding: given)
                #expect(world.cookie(in: path) == "cookie-of-the-variable")
                #expect(await !world.log(after: mark).contains("The cookie is the last"))
            }
        }
    }

    @Test func `a deployex that is not running is called that, and what it left can be stopped`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, cookie: "")) { world in
            try await world.bring(to: "0.1.0")
            let leaders = try await world.answers().map(\.osPID)
            let all = leaders + leaders.flatMap { ProcFolder.descendants($0) }
            try await world.signalDeployex(SIGKILL)
            _ = try await world.waitForDeployex()
            for arguments in [["status"], ["restart", "1"], ["logs", "1"], ["versions"]] {
                let result = try await world.command(arguments)
                #expect(result.status == 3)
                #expect(
                    result.stderr.hasPrefix("deployex: deployex is not running: start it with "))
                #expect(result.stderr.count { $0 == "\n" } == 1)
            }
            // The nodes themselves can still be asked.
            #expect(try await world.command("ping", "counter-1").stdout == "pong\n")

            let stop = try await world.command("stop", "--all")
            #expect(
                stop
                    == CommandResult(
                        status: 0,
                        stdout: "deployex was not running; counter-1, counter-2: stopped, "
                            + "and EPMD has ended\n", stderr: ""))
            #expect(all.filter { ProcFolder.isRunning($0) } == [])
            try await world.waitForNoStrays()
            // The next start boots them again, and none of that was a crash.
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.status()?.instances.map(\.crashRestarts) == [0, 0])
        }
    }

    @Test func `stop --all touches nothing beside a deployex that it cannot reach`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let pid = try await world.answers()[0].osPID
            let elsewhere = ["ERL_EPMD_PORT": "1"]
            #expect(try await world.command("stop", "--all", adding: elsewhere).status == 3)
            // Not even where no record says that it runs.
            unlink(world.base + "/node.json")
            #expect(try await world.command("stop", "--all", adding: elsewhere).status == 3)
            #expect(ProcFolder.isRunning(pid))
            #expect(await world.deployexPID.map(ProcFolder.isRunning) == true)
        }
    }

    @Test func `stop --all stops by record only what is the recorded process`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            try await world.signalDeployex(SIGKILL)
            _ = try await world.waitForDeployex()
            let pid = try await world.answers()[0].osPID
            let stranger = try await world.startStranger()
            // The record's process has ended, and its number is another's by now.
            let path = world.base + "/run/counter-1.json"
            let text = try #require(world.text(path))
            try Files.write(
                Array(text.replacing("\"pid\":\(pid)", with: "\"pid\":\(stranger)").utf8), path,
                mode: 0o600)
            let stop = try await world.command("stop", "--all")
            #expect(stop.status == 0)
            #expect(stop.stdout.contains("no instance of \(world.base) runs"), "\(stop)")
            #expect(ProcFolder.isRunning(stranger))
        }
    }

    @Test func `stop --all finds an instance whose record is damaged`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            try await world.signalDeployex(SIGKILL)
            _ = try await world.waitForDeployex()
            let pid = try await world.answers()[0].osPID
            try Files.write(Array("{".utf8), world.base + "/run/counter-1.json", mode: 0o600)
            let stop = try await world.command("stop", "--all")
            #expect(stop.status == 0, "\(stop)")
            #expect(stop.stdout.contains("counter-1: stopped"), "\(stop)")
            #expect(!ProcFolder.isRunning(pid))
        }
    }

    @Test func `stop --all ends a pre-command that a killed deployex has left`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.place("0.1.0")
            try await world.publish(
                catalog: #"""
                    {"version":"0.1.0","hash":"local",
                     "pre_commands":["eval 'IO.puts(:begun); Process.sleep(60000)'"]}
                    """#)
            try await world.waitForPreCommand("begun")
            try await world.signalDeployex(SIGKILL)
            _ = try await world.waitForDeployex()
            #expect(await world.instancePIDs != [])
            let stop = try await world.command("stop", "--all")
            #expect(stop.status == 0, "\(stop)")
            #expect(await world.instancePIDs == [])
            let record = world.base + "/run/counter.command.json"
            #expect(!FileManager.default.fileExists(atPath: record))
        }
    }

    @Test(arguments: [true, false])
    func `stop --all ends the EPMD that deployex has started, unless a node is left in it`(
        isEmpty: Bool
    ) async throws {
        try await DeployexWorld.run { world in
            // Another deployex uses what the first one has started.
            #expect(try await world.endDeployex(SIGTERM) == 0)
            #expect(await world.strays.count == 1)
            try await world.startDeployex()
            if !isEmpty {
                try await world.startErlangNode("other")
                try await world.waitForName("other")
            }
            #expect(try await world.command("stop", "--all").status == 0)
            #expect(try await world.waitForDeployex() == 0)
            if isEmpty { return try await world.waitForNoStrays() }
            #expect(await world.log.contains("EPMD goes on, for other"))
            #expect(try await world.command("names").stdout.contains("name other at port "))
        }
    }
}

extension DeployexWorld {
    /// The cookie in what a deployex has left.
    nonisolated func cookie(in path: String) -> String? {
        struct Left: Decodable { var cookie: String }
        return text(path).flatMap { try? JSONDecoder().decode(Left.self, from: Data($0.utf8)) }?
            .cookie
    }
}

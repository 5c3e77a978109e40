import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What deployex's own process shows to the rest of the host, and what its instances get back of it.
@Suite struct OwnProcessTests {
    @Test func `no cookie stays in the arguments of deployex or of a command`() async throws {
        let secret = "confidential-cookie-of-deployex"
        try await DeployexWorld.run(.init(cookie: secret), isStarted: false) { world in
            try await world.startDeployex(["-setcookie", "confidential-too", "--cookie", secret])
            let deployex = try #require(await world.deployexPID)
            let shown = ProcFolder.arguments(deployex)
            #expect(
                shown.dropFirst() == [
                    "start", "--sname", "deployex", "-setcookie", "****************", "--cookie",
                    String(repeating: "*", count: secret.utf8.count),
                ])
            try await world.bring(to: "0.1.0")
            try await world.startCommand(["logs", "counter-1", "-f", "--cookie=" + secret])
            try await world.waitForOutput("listens on")
            let command = try #require(
                ProcFolder.pids.first {
                    ProcFolder.program($0) == BuiltProgram.deployex
                        && ProcFolder.arguments($0).dropFirst().first == "logs"
                        && ProcFolder.environment($0)["ERL_EPMD_PORT"] == "\(world.epmdPort)"
                })
            #expect(
                ProcFolder.arguments(command).last
                    == "--cookie=" + String(repeating: "*", count: secret.utf8.count))
            _ = await world.endStartedCommand(SIGTERM)
        }
    }

    private static let plain = DeployexWorld.Options(
        epmd: .deployex,
        variables: ["DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "0.3"])

    /// Runs a script as the release of an instance, below a deployex that was started through `prefix`.
    private func withScript(
        through prefix: String, _ script: String = "#!/bin/sh\nexec sleep 600\n",
        options: DeployexWorld.Options = plain, user: UInt32? = nil,
        _ body: @escaping @Sendable (DeployexWorld, _ instance: Int32) async throws -> Void
    ) async throws {
        try await DeployexWorld.run(options, isStarted: false) { world in
            try await world.placeScript("1.0.0", script)
            try world.site.publish("1.0.0")
            try await world.startEPMD()
            if let user {
                _ = try await world.run(
                    ThisHost.find("chown"), ["-R", "\(user):\(user)", world.folder])
            }
            try await world.launchDeployex(through: ["/bin/sh", "-c", prefix, "sh"])
            try await body(world, try await world.startedInstance())
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can go before others"), arguments: [0, 54_321])
    func `instances do not share deployex's priority`(user: UInt32)
        async throws
    {
        let prefix =
            "echo 300 > /proc/self/oom_score_adj; exec nice -n -5 setpriv --reuid=\(user) "
            + "--regid=\(user) --clear-groups \"$@\""
        try await withScript(through: prefix, user: user) { world, instance in
            let deployex = try #require(await world.deployexPID)
            #expect(ProcFolder.priority(deployex) == ["300", "-5"])
            #expect(ProcFolder.priority(instance) == ["0", "0"])
            #expect(await !world.log.contains("to 0:"))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root has rights that it can give up"))
    func `where deployex may not raise an instance's priority the log says so once`()
        async throws
    {
        let prefix = "exec nice -n 5 setpriv --bounding-set=-sys_nice \"$@\""
        try await withScript(through: prefix) { world, first in
            #expect(ProcFolder.priority(first) == ["0", "5"])
            #expect(kill(first, SIGKILL) == 0)
            _ = try await world.startedInstance(otherThan: first)
            let lines = await world.log.split(separator: "\n").filter {
                $0.contains("setting the niceness of an instance, 5, to 0: permission denied")
            }
            #expect(lines.count == 1)
        }
    }

    @Test func `a deployex without standard descriptors has /dev/null in their place`()
        async throws
    {
        let closed = "exec \"$@\" <&- >&- 2>&-"
        var options = Self.plain
        options.epmd = .startedByDeployex
        try await DeployexWorld.run(options, isStarted: false) { world in
            try await world.launchDeployex(through: ["/bin/sh", "-c", closed, "sh"])
            try await world.waitForStatus()
            let deployex = try #require(await world.deployexPID)
            let own = ProcFolder.descriptors(deployex)
            #expect([0, 1, 2].map { own[$0] } == ["/dev/null", "/dev/null", "/dev/null"])
            // The EPMD that it has started.
            let epmd = try #require(
                await world.strays.first { ProcFolder.arguments($0).contains("epmd") })
            let others = ProcFolder.descriptors(epmd)
            #expect([0, 1].map { others[$0] } == ["/dev/null", "/dev/null"])
            #expect(others[2]?.contains("deployex-epmd") == true)
            // A command.
            let command = try await world.run(
                "/bin/sh", ["-c", closed, "sh", BuiltProgram.deployex, "status"])
            #expect(command.status == 0)
        }
    }

    @Test func `variables that are not UTF-8 reach an instance as they are`() async throws {
        let prefix = "LATIN=\"$(printf 'caf\\351')\"; export LATIN; exec \"$@\""
        try await withScript(through: prefix) { world, instance in
            let entries = Files.bytes("/proc/\(instance)/environ").split(separator: 0)
            #expect(entries.contains { Array($0) == Array("LATIN=caf".utf8) + [0xE9] })
            // A setting that deployex cannot read does not count as absent.
            let refused = try await world.run(
                "/bin/sh",
                [
                    "-c",
                    "DEPLOYEX_LOG_PATH=\"$(printf '/caf\\351')\"; export DEPLOYEX_LOG_PATH; exec \"$@\"",
                    "sh", BuiltProgram.deployex, "start",
                ])
            #expect(refused.status == 2)
            #expect(refused.stderr.contains("DEPLOYEX_LOG_PATH: its value is not UTF-8"))
        }
    }

    @Test func `a weak cookie is warned of once, and not shown`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex, cookie: "monster")) { world in
            let lines = await world.log.split(separator: "\n").filter {
                $0.contains("The cookie is weak")
            }
            #expect(lines.count == 1)
            #expect(lines.first?.hasPrefix("[warning] ") == true)
            #expect(await !world.log.contains("monster"))
        }
        let strong = DeployexWorld.Options(epmd: .deployex, cookie: "3fa3c0f1c5b58cd9f0e6c2f5d6")
        try await DeployexWorld.run(strong) { world in
            #expect(await !world.log.contains("is weak"))
        }
    }

    @Test func `deployex makes no core dump and no file for others, and its instances may`()
        async throws
    {
        try await DeployexWorld.run(isStarted: false) { world in
            let script = "umask 0002; ulimit -S -c 4; ulimit -S -n 512; exec \"$@\""
            try await world.startDeployex(through: ["/bin/bash", "-c", script, "bash"])
            let deployex = try #require(await world.deployexPID)
            #expect(ProcLimits.status(deployex, "Umask") == "0027")
            #expect(ProcLimits.soft(deployex, "Max core file size") == "0")
            try await world.bring(to: "0.1.0")
            let instance = try await world.answers()[0].osPID
            #expect(ProcLimits.status(instance, "Umask") == "0002")
            // Bash counts in KiB.
            #expect(ProcLimits.soft(instance, "Max core file size") == "4096")
            var limit = rlimit()
            getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
            #expect(
                ProcLimits.soft(instance, "Max open files") == "\(min(65_536, limit.rlim_max))")
            let made = world.folder + "/made"
            _ = try await world.command(
                "rpc", world.node(1), "file", "write_file", "[\"\(made)\", <<>>]")
            var status = stat()
            #expect(stat(made, &status) == 0 && status.st_mode & 0o7777 == 0o664)
        }
    }

    @Test func `an instance has as many descriptors as are configured`() async throws {
        let options = DeployexWorld.Options(
            epmd: .deployex, variables: ["DEPLOYEX_MONITORED_APP_MAX_OPEN_FILES": "777"])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            let instance = try await world.answers()[0].osPID
            #expect(ProcLimits.soft(instance, "Max open files") == "777")
        }
    }

    /// As an ordinary user: what root may read of a process proves nothing.
    @Test func `its user's other processes read nothing of its memory, and it works all the same`()
        async throws
    {
        let isRoot = geteuid() == 0
        let other =
            isRoot
            ? [try ThisHost.find("setpriv"), "--reuid=54321", "--regid=54321", "--clear-groups"]
            : []
        // The commands are root's, who does not believe just anybody's deployex.
        let options = DeployexWorld.Options(variables: ["DEPLOYEX_TRUSTED_USERS": "54321"])
        try await DeployexWorld.run(options, isStarted: false) { world in
            if isRoot {
                let result = try await world.run(
                    ThisHost.find("chown"), ["-R", "54321:54321", world.folder])
                #expect(result.status == 0)
            }
            // It starts an EPMD, for which it looks up its own program.
            try await world.startDeployex(through: other)
            let deployex = try #require(await world.deployexPID)
            for name in ["environ", "maps", "mem"] {
                let line = other + [try ThisHost.find("cat"), "/proc/\(deployex)/\(name)"]
                let result = try await world.run(line[0], Array(line.dropFirst()))
                #expect(result.status == 1 && result.stdout == "", "\(name)")
                #expect(result.stderr.lowercased().contains("permission denied"), "\(result)")
            }
            try await world.bring(to: "0.1.1")
            let pid = try await world.answers()[0].osPID
            try await world.bring(to: "0.1.2")
            #expect(try await world.answers()[0].osPID == pid)
            // What it starts can be looked at: the next one finds it so.
            let line = other + [try ThisHost.find("cat"), "/proc/\(pid)/environ"]
            #expect(try await world.run(line[0], Array(line.dropFirst())).status == 0)
            #expect(try await world.endDeployex(SIGKILL) == 128 + SIGKILL)
            try FileManager.default.removeItem(atPath: world.base + "/run/counter-1.json")
            let mark = await world.logMark
            try await world.startDeployex(through: other)
            try await world.waitForLog("Found the process of instance: 1", after: mark)
            try await world.waitUntilAllRun("0.1.2")
            #expect(try await world.answers()[0].osPID == pid)
        }
    }

    @Test func `a user that deployex cannot become is refused before anything is touched`()
        async throws
    {
        try await DeployexWorld.runWithoutSlot { world in
            let unknown = try await world.command(
                ["start"], adding: ["DEPLOYEX_MONITORED_APP_USER": "no-such-user"])
            #expect(unknown.status == 2)
            #expect(
                unknown.stderr.hasPrefix(
                    "deployex: DEPLOYEX_MONITORED_APP_USER=no-such-user: the name or number of a "
                        + "user of this host"), "\(unknown.stderr)")
            let variables = world.variables.merging(
                ["DEPLOYEX_MONITORED_APP_USER": geteuid() == 0 ? "root" : "daemon"]) { $1 }
            let other =
                geteuid() == 0
                ? [
                    try ThisHost.find("setpriv"), "--reuid=54321", "--regid=54321",
                    "--clear-groups",
                ]
                : []
            let line = other + [BuiltProgram.deployex, "start"]
            let result = try await world.run(
                line[0], Array(line.dropFirst()), environment: variables)
            #expect(result.status == 2)
            #expect(
                result.stderr.contains(
                    "only a deployex that runs as root can start programs as somebody else"),
                "\(result.stderr)")
            #expect(!FileManager.default.fileExists(atPath: world.base))
        }
    }
}

/// What `/proc` says of a process's limits.
enum ProcLimits {
    static func soft(_ pid: pid_t, _ name: String) -> String? {
        line(pid, "limits", name)?.split { $0 == " " }.first.map(String.init)
    }

    static func status(_ pid: pid_t, _ name: String) -> String? {
        line(pid, "status", name + ":")?.split { $0.isWhitespace }.first.map(String.init)
    }

    private static func line(_ pid: pid_t, _ file: String, _ name: String) -> Substring? {
        let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(file)") ?? Data()
        return String(decoding: data, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix(name) }?.dropFirst(name.count)
    }
}

extension DeployexWorld {
    /// Waits until the command that was started last has printed `words`.
    func waitForOutput(_ words: String) throws {
        try wait("a command to print \(words)") { lastOutput.contains(words) }
    }
}

extension DeployexWorld {
    fileprivate func waitForStatus() throws {
        try wait("an answer") { try status() != nil }
    }

    /// The first process of instance 1, as the log names it.
    fileprivate func startedInstance(otherThan pid: Int32 = 0) throws -> Int32 {
        try waitForValue("an instance") {
            log.split(separator: "\n").compactMap { line in
                line.firstRange(of: "# Running instance: 1, monitoring OS process id = ").flatMap {
                    Int32(line[$0.upperBound...].prefix { $0.isNumber })
                }
            }.last { $0 != pid && ProcFolder.isRunning($0) }
        }
    }
}

extension ProcFolder {
    /// The oom_score_adj and the niceness of a process.
    fileprivate static func priority(_ pid: Int32) -> [String] {
        let fields = fields(pid)
        return [
            Files.text("/proc/\(pid)/oom_score_adj").filter { $0 != "\n" },
            fields.count > 16 ? String(fields[16]) : "",
        ]
    }
}

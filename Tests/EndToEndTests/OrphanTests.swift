import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Processes that leave the session of an instance, and lose their parent.
@Suite struct OrphanTests {
    /// Starts a daemon, as what double-forks does, and goes on.
    private static let script = """
        #!/bin/sh
        setsid sh -c 'sleep 601 & echo $! > "$FOLDER/daemon"'
        # One that ends soon.
        setsid sh -c 'sleep 0.1 &'
        exec sleep 600
        """

    private static let options = DeployexWorld.Options(
        epmd: .deployex,
        variables: ["DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "0.3"])

    private func withDaemon(
        _ body: @escaping @Sendable (DeployexWorld, Int32) async throws -> Void
    ) async throws {
        try await withInstance { world in
            try await body(world, try await world.daemon(otherThan: 0))
        }
    }

    private func withInstance(
        through prefix: [String] = [], script: String = Self.script,
        _ body: @escaping @Sendable (DeployexWorld) async throws -> Void
    ) async throws {
        try await DeployexWorld.run(Self.options, isStarted: false) { world in
            try await world.placeScript("1.0.0", script)
            try world.site.publish("1.0.0")
            try await world.startEPMD()
            try await world.startDeployex(
                adding: ["FOLDER": world.folder], through: prefix)
            try await world.waitUntilStatus("1.0.0")
            try await body(world)
        }
    }

    @Test func `a daemon ends with its instance, by a stop and by a crash, and is reaped`()
        async throws
    {
        try await withDaemon { world, daemon in
            let deployex = try #require(await world.deployexPID)
            #expect(ProcFolder.parent(daemon) == deployex)
            let leader = try #require(try await world.status(of: 1).osPid)
            #expect(kill(leader, SIGKILL) == 0)
            try await world.waitUntilGone(daemon)
            let second = try await world.daemon(otherThan: daemon)
            try await world.waitUntilStatus("1.0.0")
            let stopped = try await world.command("stop", "1")
            #expect(stopped.status == 0, "\(stopped)")
            #expect(!ProcFolder.isRunning(second))
            try await world.wait("the orphans to be reaped") {
                ProcFolder.zombies(of: deployex).isEmpty
            }
        }
    }

    @Test func `a later deployex ends the daemon that an earlier one saw leave`() async throws {
        try await withDaemon { world, daemon in
            try await world.wait("the daemon to be on record") {
                world.text(world.base + "/run/counter-1.json")?.contains("\"pid\":\(daemon),")
                    == true
            }
            _ = try await world.endDeployex(SIGKILL)
            #expect(ProcFolder.isRunning(daemon))
            try await world.startDeployex(adding: ["FOLDER": world.folder])
            let stopped = try await world.command("stop", "1")
            #expect(stopped.status == 0, "\(stopped)")
            try await world.waitUntilGone(daemon)
        }
    }

    @Test func `what nobody saw leave is named when the instance has ended`() async throws {
        try await withDaemon { world, _ in
            _ = try await world.endDeployex(SIGKILL)
            let leader = try #require(
                world.text(world.base + "/run/counter-1.json").flatMap { text in
                    text.firstRange(of: "\"pid\":").flatMap {
                        Int32(text[$0.upperBound...].prefix { $0.isNumber })
                    }
                })
            // While no deployex lives.
            let folder = world.service(1)
            try await world.startCommandAs(mark: folder)
            #expect(kill(leader, SIGKILL) == 0)
            try await world.startDeployex(adding: ["FOLDER": world.folder])
            try await world.waitForLog("processes go on that it had started")
        }
    }

    @Test
    func `what a stop that was cut in half has left in the session ends before the next start`()
        async throws
    {
        let options = DeployexWorld.Options(
            epmd: .deployex,
            variables: [
                "DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "0.3",
                "DEPLOYEX_STOP_TIMEOUT": "600",
            ])
        try await DeployexWorld.run(options) { world in
            // The wrapper ends by SIGTERM, and what it has started does not.
            try await world.placeScript(
                "1.0.0",
                """
                #!/bin/sh
                sh -c 'trap "" TERM; echo $$ > "../daemon"; while :; do sleep 0.1; done' &
                wait
                """)
            try world.site.publish("1.0.0")
            try await world.waitUntilStatus("1.0.0")
            let stubborn = try #require(
                world.text(world.service(1) + "/daemon").flatMap { Int32($0.dropLast()) })
            let leader = try #require(try await world.status(of: 1).osPid)
            _ = try await world.command("stop", "1", "--no-wait")
            try await world.waitUntilGone(leader)
            #expect(ProcFolder.isRunning(stubborn))
            _ = try await world.endDeployex(SIGKILL)
            try await world.startDeployex()
            try await world.waitUntilGone(stubborn)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start a process of another user"))
    func `a process of another user that bears an instance's mark does not count as its`()
        async throws
    {
        var options = Self.options
        options.replicas = 2
        try await DeployexWorld.run(options, isStarted: false) { world in
            // Both are root's. Instance 1 starts two that say they are of instance 2.
            try await world.placeScript(
                "1.0.0",
                """
                #!/bin/sh
                if [ "$RELEASE_NODE_SUFFIX" = -1 ]; then
                    export DEPLOYEX_INSTANCE_FOLDER="\(world.service(2))"
                    setsid sh -c 'setpriv --reuid=54321 sleep 601 & echo $! > "$FOLDER/forged"'
                    setsid sh -c 'sleep 601 & echo $! > "$FOLDER/daemon"'
                fi
                exec sleep 600
                """)
            try world.site.publish("1.0.0")
            try await world.startEPMD()
            try await world.startDeployex(adding: ["FOLDER": world.folder])
            try await world.waitUntilStatus("1.0.0")
            let own = try await world.daemon(otherThan: 0)
            let forged = try #require(
                world.text(world.folder + "/forged").flatMap { Int32($0.dropLast()) })
            try await world.wait("the daemon to be on record") {
                world.text(world.base + "/run/counter-2.json")?.contains("\"pid\":\(own),")
                    == true
            }
            #expect(
                world.text(world.base + "/run/counter-2.json")?.contains("\"pid\":\(forged),")
                    == false)
            let stopped = try await world.command("stop", "2")
            #expect(stopped.status == 0, "\(stopped)")
            #expect(!ProcFolder.isRunning(own))
            #expect(ProcFolder.isRunning(forged))
            kill(forged, SIGKILL)
        }
    }

    /// As ``withInstance(through:_:)``, in a group that is delegated to deployex. The second
    /// daemon is made when the test asks for it.
    private func withGroup(
        _ body: @escaping @Sendable (DeployexWorld, TestControlGroup) async throws -> Void
    ) async throws {
        let group = try TestControlGroup(isDelegated: true)
        try await withInstance(
            through: group.prefix,
            script: """
                #!/bin/sh
                setsid sh -c 'sleep 601 & echo $! > "$FOLDER/daemon"'
                (while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done
                 setsid sh -c 'sleep 601 & echo $! > "$FOLDER/daemon"') &
                exec sleep 600
                """
        ) { world in try await body(world, group) }
        #expect(group.children == [])
    }

    @Test(.enabled(if: TestControlGroup.isPossible, "\(TestControlGroup.reason)"))
    func `in a control group, what leaves an instance that was taken over ends with it`()
        async throws
    {
        try await withGroup { world, group in
            let first = try await world.daemon(otherThan: 0)
            #expect(group.children.count == 1)
            _ = try await world.endDeployex(SIGKILL)
            try await world.startDeployex(
                adding: ["FOLDER": world.folder], through: group.prefix)
            try Files.write([], world.folder + "/go")
            let second = try await world.daemon(otherThan: first)
            let stopped = try await world.command("stop", "1")
            #expect(stopped.status == 0, "\(stopped)")
            #expect(!ProcFolder.isRunning(first))
            #expect(!ProcFolder.isRunning(second))
            #expect(try await world.status(of: 1).status == "idle")
            #expect(await !world.log.contains("processes go on"))
        }
    }

    @Test(.enabled(if: TestControlGroup.isPossible, "\(TestControlGroup.reason)"))
    func `in a control group, what left while no deployex lived ends before the next start`()
        async throws
    {
        try await withGroup { world, group in
            let first = try await world.daemon(otherThan: 0)
            let leader = try #require(try await world.status(of: 1).osPid)
            _ = try await world.endDeployex(SIGKILL)
            try Files.write([], world.folder + "/go")
            let second = try await world.daemon(otherThan: first)
            #expect(kill(leader, SIGKILL) == 0)
            // This instance, started again, does not make its second daemon.
            unlink(world.folder + "/go")
            try await world.startDeployex(
                adding: ["FOLDER": world.folder], through: group.prefix)
            try await world.waitForLog("had left OS process", "behind: stopped")
            #expect(!ProcFolder.isRunning(first))
            #expect(!ProcFolder.isRunning(second))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can make a pid namespace"))
    func `as the first process of a container deployex reaps what others leave`() async throws {
        let container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        try await withInstance(through: container) { world in
            let outer = try #require(await world.deployexPID)
            // The number that it has inside is another process's here, or nobody's.
            try await world.wait("the daemon") {
                ProcFolder.descendants(outer).contains {
                    ProcFolder.arguments($0).contains("601")
                }
            }
            let deployex = try #require(
                ProcFolder.descendants(outer).first { ProcFolder.parent($0) == outer })
            try await world.wait("the orphans to be reaped") {
                ProcFolder.zombies(of: deployex).isEmpty
            }
            let stopped = try await world.command("stop", "1")
            #expect(stopped.status == 0, "\(stopped)")
            try await world.wait("all to end") {
                ProcFolder.descendants(deployex).allSatisfy {
                    !ProcFolder.arguments($0).contains("601")
                }
            }
        }
    }
}

extension DeployexWorld {
    func placeScript(_ version: String, _ script: String) throws {
        try place(
            "counter", version, scripts: ["bin/counter": script],
            files: [
                "releases/start_erl.data": "13.1.5 \(version)",
                "releases/\(version)/start.script": "",
            ])
    }

    /// The daemon that the script has started.
    func daemon(otherThan pid: Int32) throws -> Int32 {
        try waitForValue("a daemon") {
            text(folder + "/daemon").flatMap { Int32($0.dropLast()) }.flatMap {
                $0 != pid && ProcFolder.isRunning($0) ? $0 : nil
            }
        }
    }

    /// Starts a process that has the mark of an instance; it lives as long as this world.
    func startCommandAs(mark: String) throws {
        try startStranger(adding: ["DEPLOYEX_INSTANCE_FOLDER": mark])
    }
}

extension ProcFolder {
    static func parent(_ pid: Int32) -> Int32? {
        let fields = fields(pid)
        return fields.count > 1 ? Int32(fields[1]) : nil
    }

    static func zombies(of parent: Int32) -> [Int32] {
        pids.filter { pid in
            let fields = fields(pid)
            return fields.count > 1 && fields[0] == "Z" && Int32(fields[1]) == parent
        }
    }
}

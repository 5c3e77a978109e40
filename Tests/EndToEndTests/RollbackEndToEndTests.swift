import FoundationEssentials
import Glibc
import Testing

/// Versions that fail are ghosted, and the version before comes back.
@Suite struct RollbackEndToEndTests {
    @Test func `a version that crashes again and again is ghosted, and the one before comes back`()
        async throws
    {
        try await DeployexWorld.run(
            .init(replicas: 2, epmd: .deployex, variables: ["DEPLOYEX_ROLLBACK_CRASHES": "1"])
        ) { world in
            try await world.bring(to: "0.1.0")
            let second = try #require(await world.answer(2)).osPID
            let mark = await world.logMark
            try await world.publish("0.1.3")
            try await world.waitForLog(
                "Version 0.1.3 is ghosted", "crashed 2 times", "back to 0.1.0", after: mark,
                for: .seconds(60))
            // With what the instance itself had to say.
            try await world.waitForLog("Instance: 1 said last:", after: mark)
            try await world.waitForLog("Rolled back instance: 1 from: 0.1.3 to: 0.1.0", after: mark)
            try await world.waitUntilAllRun("0.1.0")
            #expect(await world.answer(2)?.osPID == second)
            // A release is removed beside what goes on.
            try await world.wait("the crashed release to be removed") {
                world.serviceEntries(1) == ["current"]
            }
            #expect(try await world.versionFile(1, "current").version == "0.1.0")

            // The next deployex knows it too.
            _ = try await world.endDeployex(SIGKILL)
            let later = await world.logMark
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(await !world.log(after: later).contains("Update is needed"))

            // Another version is deployed all the same.
            try await world.publish("0.2.0")
            try await world.waitUntilAllRun("0.2.0")
        }
    }

    @Test func `a version upgraded in place goes back in place`() async throws {
        try await DeployexWorld.run(
            .init(epmd: .deployex, variables: ["DEPLOYEX_ROLLBACK_CRASHES": "1"])
        ) { world in
            try await world.bring(to: "0.1.1")
            try await world.bring(to: "0.1.2")
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")
            let mark = await world.logMark
            for _ in 0..<2 {
                let pid = try await world.waitForAnswer(version: "0.1.2").osPID
                await world.kill(pid)
                try await world.waitUntilGone(pid)
            }
            try await world.waitForLog("Version 0.1.2 is ghosted", after: mark)
            try await world.waitForLog("Rolled back instance: 1 from: 0.1.2 to: 0.1.1", after: mark)
            try await world.waitUntilAllRun("0.1.1")
            #expect(await world.bootVersion(world.service(1, "current")) == "0.1.1")
        }
    }

    @Test
    func `pre-commands run once on the host, and their failure leaves the old version running`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.answers()
            let mark = await world.logMark
            try await world.place("0.2.0")
            try await world.publish(
                catalog: #"""
                    {"version":"0.2.0","hash":"bad","pre_commands":
                     ["eval 'IO.puts(\"migrating\")'","eval 'System.halt(3)'"]}
                    """#)
            try await world.waitForLog("Version 0.2.0 is ghosted", "exit status 3", after: mark)
            #expect(try await world.answers() == before)

            try await world.publish(
                catalog: #"""
                    {"version":"0.2.0","hash":"good","pre_commands":["eval 'IO.puts(\"again\")'"]}
                    """#)
            try await world.waitUntilAllRun("0.2.0")
            let output = try #require(
                world.text(world.folder + "/log/counter/counter-pre-commands.log"))
            #expect(output == "migrating\nagain\n")
        }
    }
}

import Testing

/// Versions that do not do what they should.
@Suite struct FailingVersionTests {
    @Test func `a hot upgrade that fails is followed by a full deployment of the same package`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.bring(to: "0.1.2")
            let before = try await world.post("/increment")
            let mark = await world.logMark
            try await world.publish("0.1.4")
            // While it is being upgraded the old process may answer as 0.1.4 for a moment.
            try await world.waitUntilAllRun("0.1.4")
            let after = try await world.answers()[0]

            let log = await world.log(after: mark)
            #expect(log.contains("HOT UPGRADE version DETECTED, from: 0.1.2 to: 0.1.4"))
            #expect(
                log.contains("[error] Hot upgrade failed at instance: 1, running full deployment"))
            #expect(log.contains("code_change_failed"))
            #expect(after.osPID != before.osPID)
            #expect(after.counter == 0)
            #expect(after.greeting == "hello from a test")
            #expect(try await world.status(of: 1).lastDeployment == "full_deployment")
            #expect(try await world.versionFile(1, "current").version == "0.1.4")
            #expect(try await world.versionFile(1, "previous").version == "0.1.2")
            #expect(await world.bootVersion(world.service(1, "current")) == "0.1.4")
            #expect(await world.bootVersion(world.service(1, "previous")) == "0.1.2")
            #expect(world.serviceEntries(1) == ["current", "previous"])
        }
    }

    @Test func `an instance that cannot start backs off, and a fixed version still comes`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let second = try #require(await world.answer(2)).osPID
            let mark = await world.logMark
            try await world.publish("0.1.3")
            try await world.waitForLog(
                "[error] Application instance: 1 crashed", "for the first time",
                "restarted in 1 s", after: mark, for: .seconds(40))
            try await world.waitForLog(
                "[error] Application instance: 1 crashed", "2 times in a row",
                "restarted in 2 s", after: mark, for: .seconds(40))
            #expect(await world.answer(2)?.osPID == second)
            #expect(try await world.status(of: 1).status != "running")
            #expect(try await world.status(of: 1).version == "0.1.3")
            #expect(try await world.status(of: 1).crashRestarts >= 2)
            #expect(try await world.status(of: 2).version == "0.1.0")

            try await world.publish("0.2.0")
            try await world.waitUntilAllRun("0.2.0")
            #expect(try await world.versionFile(1, "previous").version == "0.1.3")
            #expect(try await world.versionFile(2, "previous").version == "0.1.0")
        }
    }
}

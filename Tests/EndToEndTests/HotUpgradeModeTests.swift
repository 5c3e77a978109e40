import TestKit
import Testing

/// When deployex upgrades in place: `DEPLOYEX_HOT_UPGRADE`.
@Suite(.serialized) struct HotUpgradeModeTests {
    private func options(_ mode: String) -> DeployexWorld.Options {
        .init(replicas: 1, epmd: .real, variables: ["DEPLOYEX_HOT_UPGRADE": mode])
    }

    @Test func `in auto a release without an appup stays hot`() async throws {
        try await DeployexWorld.run(options("auto")) { world in
            try await world.bring(to: "0.1.1")
            _ = try await world.post("/increment", 1)
            let before = try await world.answers()[0]
            let mark = await world.logMark
            try await world.publish("0.2.0")
            try await world.waitUntilAllRun("0.2.0")
            let after = try await world.answers()[0]
            #expect(after.osPID == before.osPID)
            #expect(after.counter == 1)
            #expect(after.greeting == "hello from a test")
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")
            let log = await world.log(after: mark)
            #expect(log.contains("HOT UPGRADE version DETECTED, from: 0.1.1 to: 0.2.0"))
            // What boots next is the new release, as a whole.
            await world.kill(after.osPID)
            let back = try await world.waitForAnswer(1, version: "0.2.0", otherThan: after.osPID)
            #expect(back.counter == 0)
        }
    }

    @Test func `hot upgrades that are off are full deployments, and the log says why`()
        async throws
    {
        try await DeployexWorld.run(options("off")) { world in
            try await world.bring(to: "0.1.1")
            let before = try await world.answers()[0]
            let mark = await world.logMark
            try await world.publish("0.1.2")
            try await world.waitUntilAllRun("0.1.2")
            #expect(try await world.answers()[0].osPID != before.osPID)
            #expect(try await world.status(of: 1).lastDeployment == "full_deployment")
            #expect(await world.log(after: mark).contains("result: hot upgrades are off"))
        }
    }
}

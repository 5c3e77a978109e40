import Glibc
import TestKit
import Testing

/// What `status` says of a node that does not answer.
@Suite struct UnresponsiveTests {
    @Test func `a stopped BEAM is shown as unresponsive, and as running when it answers`()
        async throws
    {
        try await DeployexWorld.run(.init(replicas: 2)) { world in
            try await world.bring(to: "0.1.0")
            let before = try await world.status(of: 1)
            let pid = try #require(before.osPid)
            #expect(before.status == "running" && before.reason == nil)
            #expect(!before.restartPending)

            #expect(kill(pid, SIGSTOP) == 0)
            defer { _ = kill(pid, SIGCONT) }
            try await world.waitForStatus("unresponsive", within: .seconds(5))
            #expect(try await world.status(of: 1).reason == "no answer in time")
            #expect(try await world.status(of: 2).status == "running")

            // Whoever takes it over has never heard it, and yet knows that it is to answer.
            let ended = try await world.endDeployex(SIGTERM)
            #expect(ended == 0)
            try await world.startDeployex()
            try await world.waitForStatus("unresponsive", within: .seconds(10))

            #expect(kill(pid, SIGCONT) == 0)
            try await world.waitForStatus("running", within: .seconds(15))
            let after = try await world.status(of: 1)
            #expect(after.osPid == pid && after.reason == nil && after.crashRestarts == 0)
        }
    }

    @Test func `distribution that is off is shown as that`() async throws {
        let options = DeployexWorld.Options(
            variables: ["DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "1"])
        try await DeployexWorld.run(options) { world in
            try await world.publish("0.1.0")
            try await world.waitForStatus("running", within: .seconds(30))
            #expect(try await world.status(of: 1).otp == "off")
        }
    }
}

extension DeployexWorld {
    /// Waits until instance 1 has this status.
    fileprivate func waitForStatus(_ status: String, within timeout: Duration) throws {
        try wait("the status \(status)", for: timeout) {
            try self.status()?.instances.first?.status == status
        }
    }
}

import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Instances that an earlier deployex started with another configuration.
@Suite struct ChangedConfigurationTests {
    @Test func `what is not in the configuration any more is named, and stopped by stop --all`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let pid = try await world.answers()[0].osPID
            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex(adding: ["DEPLOYEX_MONITORED_APP_NAME": "renamed"])
            try await world.waitForLog(
                "[warning] counter is not in the configuration, and runs on unwatched: counter-1 "
                    + "(OS process \(pid)). ")
            #expect(ProcFolder.isRunning(pid))
            let stopped = try await world.command("stop", "--all")
            #expect(stopped.status == 0, "\(stopped)")
            #expect(!ProcFolder.isRunning(pid))
            _ = try await world.waitForDeployex()
            #expect(world.text(world.base + "/run/counter-1.json") == nil)
        }
    }

    @Test func `an adopted instance has the port that it was started with, until it is restarted`()
        async throws
    {
        let options = DeployexWorld.Options(
            epmd: .deployex, variables: ["DEPLOYEX_READINESS_HTTP_PATH": "/"], extraPorts: 1)
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex(
                adding: ["DEPLOYEX_MONITORED_APP_PORT": "\(world.extraPort)"])
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.status(of: 1).port == world.firstPort)
            #expect(
                await world.log.contains(
                    "was started with port \(world.firstPort), and \(world.extraPort) is configured"
                ))
            let restarted = try await world.command("restart", "1")
            #expect(restarted.status == 0, "\(restarted)")
            try await world.waitUntilStatus("0.1.0")
            #expect(try await world.status(of: 1).port == world.extraPort)
            #expect(FreePorts.isListening(world.extraPort))
        }
    }
}

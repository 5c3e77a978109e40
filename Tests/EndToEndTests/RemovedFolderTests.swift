import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Folders that somebody removes while deployex runs.
@Suite struct RemovedFolderTests {
    /// Within the world's folder.
    @Test(arguments: ["log", "varlib/service", "varlib"])
    func `what is removed is made again when the instance starts again`(name: String) async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            let pid = try await world.answers()[0].osPID
            try FileManager.default.removeItem(atPath: "\(world.folder)/\(name)")
            await world.kill(pid)
            let answer = try await world.waitForAnswer(version: "0.1.0", otherThan: pid)
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.versionFile(1, "current").version == "0.1.0")
            #expect(world.text(world.base + "/run/counter-1.json") != nil)
            #expect(
                world.text(world.folder + "/log/counter/counter-1-stdout.log")?
                    .contains("counter 0.1.0 listens") == true)
            // Who comes next finds all that there was.
            _ = try await world.endDeployex(SIGKILL)
            try await world.startDeployex()
            try await world.waitUntilAllRun("0.1.0")
            #expect(try await world.answers()[0].osPID == answer.osPID)
        }
    }
}

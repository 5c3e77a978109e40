import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What is laid to a new version, and what is not.
@Suite struct GuiltEndToEndTests {
    @Test func `a hot upgrade that failed in one node is not tried in the next`() async throws {
        try await DeployexWorld.run(.init(replicas: 2, epmd: .deployex)) { world in
            try await world.bring(to: "0.1.2")
            let mark = await world.logMark
            try await world.publish("0.1.4")
            try await world.waitUntilAllRun("0.1.4")
            let log = await world.log(after: mark)
            #expect(log.contains("Hot upgrade failed at instance: 1, running full deployment"))
            #expect(log.contains("Instance: 2: this hot upgrade has failed before"))
            let history = try await world.history().filter { $0.version == "0.1.4" }
            #expect(
                history.map(\.kind) == ["hot_upgrade", "full_deployment", "full_deployment"])
            #expect(history.map(\.outcome) == ["failed", "succeeded", "succeeded"])
            let reason = try #require(history.first?.reason)
            #expect(reason.contains("code_change_failed") && reason.utf8.count <= 400, "\(reason)")
            // The node was restarting itself, and is no crash.
            #expect(try await world.status()?.instances.map(\.crashRestarts) == [0, 0])
        }
    }

    @Test func `a version that cannot read its configuration is ghosted before anything stops`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.1")
            let before = try await world.post("/increment")
            try await world.place("0.1.2") { folder in
                try "import Config\nraise \"no such secret\"\n".write(
                    toFile: folder + "/releases/0.1.2/runtime.exs", atomically: true,
                    encoding: .utf8)
            }
            try await world.publish(catalog: #"{"version":"0.1.2","hash":"local"}"#)
            let line = try await world.waitForLog("Version 0.1.2 is ghosted", "back to 0.1.1")
            #expect(line.contains("it ended with status 1 (RuntimeError)"))
            #expect(await world.answer(1)?.osPID == before.osPID)
            #expect(await world.answer(1)?.counter == before.counter)
            #expect(try await world.status(of: 1).version == "0.1.1")
        }
    }

    @Test func `a program that cannot be run goes back at once`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            try await world.bring(to: "0.1.0")
            try await world.place("0.2.0") { folder in
                let program = folder + "/bin/counter"
                let text = try String(contentsOfFile: program, encoding: .utf8)
                try text.replacing("\n", with: "\r\n").write(
                    toFile: program, atomically: false, encoding: .utf8)
            }
            try await world.publish(catalog: #"{"version":"0.2.0","hash":"local"}"#)
            let line = try await world.waitForLog("Version 0.2.0 is ghosted", "back to 0.1.0")
            #expect(line.contains("version 0.2.0 cannot be started: "), "\(line)")
            try await world.waitUntilAllRun("0.1.0")
        }
    }

    @Test func `a port that somebody else has taken is laid to no version`() async throws {
        let options = DeployexWorld.Options(
            epmd: .deployex, variables: ["DEPLOYEX_ROLLBACK_CRASHES": "1"])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            #expect(try await world.command("stop", "1").status == 0)
            try await world.startAs(
                user: geteuid(), ThisHost.find("python3"),
                [
                    "-c",
                    "import socket,time; s=socket.create_server(('', \(world.firstPort))); "
                        + "time.sleep(600)",
                ])
            try await world.wait("the port to be taken") { FreePorts.isListening(world.firstPort) }
            try await world.publish("0.2.0")
            _ = try await world.command("start", "1", "--no-wait")
            try await world.waitForLog("Version 0.2.0 is ghosted", for: .seconds(40))
            try await world.waitForLog(
                "Version 0.1.0 failed as well", "the cause is not version 0.2.0",
                for: .seconds(40))
            await world.endOther()
            try await world.waitUntilAllRun("0.2.0")
        }
    }
}

extension DeployexWorld {
    /// Puts a version's package into the storage after a change to its unpacked files.
    fileprivate func place(_ version: String, changedBy change: (String) throws -> Void) throws {
        let unpacked = folder + "/changed-" + version
        try Files.makeFolders(unpacked)
        let tar = try ThisHost.find("tar")
        let package = try ExamplePackages.folder() + "/counter-\(version).tar.gz"
        let changed = unpacked + ".tar.gz"
        for step in [0, 1] {
            if step == 1 { try change(unpacked) }
            let arguments =
                step == 0
                ? ["-xzf", package, "-C", unpacked] : ["-czf", changed, "-C", unpacked, "."]
            let result = try run(tar, arguments)
            guard result.status == 0 else { throw TestFailure("tar: \(result)") }
        }
        try place(package: changed, version: version)
    }

    /// The deployments that have ended, the oldest first.
    fileprivate func history() throws -> [Deployment] {
        struct Versions: Decodable { var apps: [App] }
        struct App: Decodable { var history: [Deployment] }
        let result = try command("versions", "--json")
        return try JSONDecoder().decode(Versions.self, from: Data(result.stdout.utf8))
            .apps.flatMap(\.history)
    }

    fileprivate struct Deployment: Decodable {
        var version: String
        var kind: String
        var outcome: String
        var reason: String?
    }
}

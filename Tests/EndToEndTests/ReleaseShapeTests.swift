import TestKit
import Testing

/// Releases that are made up otherwise than the example.
@Suite struct ReleaseShapeTests {
    @Test func `an umbrella's release, named like none of its applications, becomes ready`()
        async throws
    {
        let options = DeployexWorld.Options(
            configuration: { world in
                """
                {"applications": [
                  {"name": "shop_prod", "replicas": 2, "first_port": \(world.extraPort),
                   "storage": {"path": "\(world.storage)"}, "timings": {"poll_interval": 0.5}}]}
                """
            }, extraPorts: 2)
        let packages = try TestReleases.folder(with: "umbrella")
        try await DeployexWorld.run(options) { world in
            try await world.publish("shop_prod", "1.0.0", from: packages)
            try await world.waitForApplication("shop_prod", "1.0.0")
            let log = await world.log
            // Not `shop_tools`, which the release only loads.
            #expect(!log.contains("is not known"))
            let started = try await world.command(
                "rpc", "shop_prod-1", "application", "which_applications")
            #expect(started.stdout.contains("{shop_web,"))
            #expect(!started.stdout.contains("{shop_tools,"))
        }
    }
}

extension DeployexWorld {
    /// Puts a package of another application than the example into the storage, and names it as current.
    func publish(_ application: String, _ version: String, from packages: String) throws {
        let name = "\(application)-\(version).tar.gz"
        let bytes = Files.bytes("\(packages)/\(name)")
        guard !bytes.isEmpty else { throw TestFailure("\(packages)/\(name) is missing") }
        try site.write(bytes, "\(storage)/dist/\(application)/\(name)")
        try site.write(
            Array(#"{"version":"\#(version)","hash":"local"}"#.utf8),
            "\(storage)/versions/\(application)/local/current.json")
    }
}

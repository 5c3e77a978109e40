import TestKit
import Testing

/// With public keys, deployex runs nothing that is not signed as what it is published as.
@Suite struct SignedPublicationTests {
    /// Keys, and packages that are to be published.
    private let desk = TemporaryFolder("desk")
    private let keys: String

    init() throws {
        keys = desk("key.pub")
        for name in ["key", "other"] {
            try ChildProcess.run(
                "minisign",
                ["-G", "-W", "-p", desk("\(name).pub"), "-s", desk("\(name).key")])
        }
    }

    /// A copy of the example's package.
    private func package(_ version: String) throws -> String {
        let path = desk("counter-\(version).tar.gz")
        let original = try ExamplePackages.folder() + "/counter-\(version).tar.gz"
        try Files.write(Files.bytes(original), path)
        return path
    }

    @Test func `unsigned, wrongly signed, replayed and changed packages are refused by name`()
        async throws
    {
        try await DeployexWorld.run(
            .init(epmd: .deployex, variables: ["DEPLOYEX_PUBLIC_KEYS": keys])
        ) { world in
            // Unsigned.
            let path = world.packagePath("0.1.1")
            try await world.publish("0.1.1")
            try await world.waitForLog(
                "\(path) is refused: it is not signed, and public keys are configured: there is no "
                    + "\(path).minisig; ", "next attempt in")
            let package = try package("0.1.1")
            let unsigned = try await world.command("publish", package)
            #expect(unsigned.status == 1)
            #expect(unsigned.stderr.contains("is not published: it is not signed"))

            // By another key.
            let signed = try await world.command("sign", package, "-s", desk("other.key"))
            #expect(signed.status == 0, "\(signed)")
            let other = try await world.command("publish", package)
            #expect(other.status == 1)
            #expect(other.stderr.contains("which is none of the public keys"))
            try world.site.write(Files.bytes(package + ".minisig"), path + ".minisig")
            try await world.waitForLog(
                "\(path) is refused: its signature is by the key ",
                "which is none of the public keys")

            // As it is to be: deployed at once, though the same package is there already.
            let again = try await world.command("sign", package, "--key", desk("key.key"))
            #expect(again.status == 0, "\(again)")
            let published = try await world.command("publish", package)
            #expect(published.status == 0, "\(published)")
            try await world.waitUntilAllRun("0.1.1")

            // A hot upgrade, signed while it is published.
            let upgrade = try await world.command(
                "publish", self.package("0.1.2"), "--sign", desk("key.key"))
            #expect(upgrade.status == 0, "\(upgrade)")
            try await world.waitUntilAllRun("0.1.2")
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")

            // The package and the signature of another version.
            let (old, new) = (path, world.packagePath("0.2.0"))
            try world.site.write(Files.bytes(old + ".minisig"), new + ".minisig")
            try world.site.write(Files.bytes(old), new)
            try await world.publish(catalog: #"{"version":"0.2.0","hash":"x"}"#)
            try await world.waitForLog(
                "\(new) is refused: it is signed as counter 0.1.1, and not as counter 0.2.0")

            // Changed bytes.
            let good = try self.package("0.2.0")
            let last = try await world.command("sign", good, "--key", desk("key.key"))
            #expect(last.status == 0, "\(last)")
            try world.site.write(Files.bytes(good + ".minisig"), new + ".minisig")
            try world.site.write(Files.bytes(good) + [0], new)
            try await world.waitForLog(
                "\(new) is refused: its bytes are not those that the key ", "has signed")

            // Commands that nobody has signed.
            try world.site.write(Files.bytes(good), new)
            try await world.publish(
                catalog: #"{"version":"0.2.0","hash":"y","pre_commands":["eval System.halt()"]}"#)
            try await world.waitForLog(
                "\(new) is refused: its signature does not include the pre-commands")
            try await world.publish(catalog: #"{"version":"0.2.0","hash":"z"}"#)
            try await world.waitUntilAllRun("0.2.0")
        }
    }

    @Test func `public keys that cannot be used are one line, and exit 2`() async throws {
        try await DeployexWorld.runWithoutSlot { world in
            for (name, complaint) in [
                ("none.pub", "no public keys (opening "), ("key.key", "line 2 is a secret key"),
            ] {
                let result = try await world.command(
                    "start", adding: ["DEPLOYEX_PUBLIC_KEYS": desk(name)])
                #expect(result.status == 2)
                #expect(result.stderr.hasPrefix("deployex: no public keys ("))
                #expect(result.stderr.contains(complaint), "\(result.stderr)")
                #expect(result.stderr.count { $0 == "\n" } == 1)
            }
        }
    }
}

import TestKit
import Testing
import Transport

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

            let verified = try await world.command("verify", "1")
            #expect(verified.status == 0, "\(verified)")
            #expect(
                verified.stdout.contains("signature   verified: app:counter version:0.1.1 sha256:"))

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

    @Test
    func `a package that is exchanged after it was unpacked changes nothing in the upgrade`()
        async throws
    {
        try await DeployexWorld.run(
            .init(epmd: .deployex, variables: ["DEPLOYEX_PUBLIC_KEYS": keys])
        ) { world in
            let first = try await world.command(
                "publish", package("0.1.1"), "--sign", desk("key.key"))
            #expect(first.status == 0, "\(first)")
            try await world.waitUntilAllRun("0.1.1")
            // Its own pre-command does it, which comes after the unpacking.
            let path = world.packagePath("0.1.2")
            let command = #"eval 'File.write!(~s(\#(path)), ~s(evil))'"#
            let package = try package("0.1.2")
            let second = try await world.command(
                "sign", package, "--key", desk("key.key"), "--pre-command", command)
            #expect(second.status == 0, "\(second)")
            for name in ["", ".minisig"] {
                try world.site.write(Files.bytes(package + name), path + name)
            }
            // Without the sha256: only the signature says what the package has to be.
            try await world.publish(
                catalog: #"{"version":"0.1.2","hash":"x","pre_commands":["\#(command)"]}"#)
            // What was unpacked is what the node gets.
            try await world.waitUntilAllRun("0.1.2")
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")
            #expect(Files.bytes(path) == Array("evil".utf8))
        }
    }

    @Test
    func `from a bucket, too, only signed packages are taken, and also while nobody can be asked`()
        async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let bucket = "counter-local-distribution"
        let moto = try await offload { try MotoServer() }
        try await offload { try moto.makeBucket(bucket) }
        let proxy = FaultProxy(to: moto.port, loop: loop)
        let port = try await proxy.listen()
        let variables = moto.variables.merging([
            "DEPLOYEX_STORAGE_ADAPTER": "s3", "DEPLOYEX_STORAGE_PATH": "",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:\(port)", "DEPLOYEX_PUBLIC_KEYS": keys,
        ]) { $1 }
        try await DeployexWorld.run(.init(epmd: .deployex, variables: variables)) { world in
            // Unsigned: it is not even fetched.
            let package = try package("0.1.0")
            desk.write(#"{"version":"0.1.0","hash":"x"}"#, "current.json")
            try await offload {
                try moto.put(package, at: "dist/counter/counter-0.1.0.tar.gz", in: bucket)
                try moto.put(
                    desk("current.json"), at: "versions/counter/local/current.json", in: bucket)
            }
            try await world.waitForLog(
                "it is not signed, and public keys are configured: there is no "
                    + "s3://\(bucket)/dist/counter/counter-0.1.0.tar.gz.minisig; ")
            #expect(await proxy.requests.contains { $0.contains(".minisig") })
            #expect(await !proxy.requests.contains { $0.contains(".tar.gz ") })

            for version in ["0.1.0", "0.2.0"] {
                let published = try await world.command(
                    "publish", self.package(version), "--sign", desk("key.key"), "--force")
                #expect(published.status == 0, "\(published)")
                try await world.waitUntilAllRun(version)
            }

            // What is here is enough to go back.
            let refusal = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
            await proxy.expect(Array(repeating: .answer(refusal), count: 10_000))
            let mark = await world.logMark
            let going = try await world.command("deploy", "0.1.0")
            #expect(going.status == 0, "\(going)")
            _ = try await world.waitForAnswer(version: "0.1.0")
            try await world.waitForLog("taking the signature that is here", after: mark)
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

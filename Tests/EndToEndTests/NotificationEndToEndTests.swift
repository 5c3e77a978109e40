import FoundationEssentials
import Glibc
import TestKit
import Testing
import Transport

/// A webhook hears what becomes of deployments.
@Suite struct NotificationEndToEndTests {
    @Test func `a webhook hears of a deployment's begin and end, and of one that fails`()
        async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let receiver = AgreeingReceiver(loop: loop)
        let port = try await receiver.listen()
        let options = DeployexWorld.Options(variables: [
            "DEPLOYEX_WEBHOOK_SECRET_URL": "http://127.0.0.1:\(port)/hidden-path",
            "DEPLOYEX_WEBHOOK_SECRET": "hidden-key", "DEPLOYEX_ROLLBACK_CRASHES": "1",
        ])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            try await eventually("the first version is told") {
                await receiver.events.count >= 2
            }
            #expect(
                await receiver.events == ["deployment_begun 0.1.0", "deployment_done 0.1.0"])
            try await world.publish("0.1.3")
            try await eventually("the way back is told") { await receiver.events.count >= 5 }
            #expect(
                await receiver.events.dropFirst(2).prefix(3) == [
                    "deployment_begun 0.1.3", "deployment_failed 0.1.3", "rolled_back 0.1.0",
                ])
            // A restart of deployex tells nothing again.
            let told = await receiver.events.count
            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex()
            try await world.publish("0.1.1")
            try await eventually("the next version is told") {
                await receiver.events.count >= told + 2
            }
            #expect(
                await receiver.events.dropFirst(told) == [
                    "deployment_begun 0.1.1", "deployment_done 0.1.1",
                ])
            #expect(await receiver.signedCount == receiver.events.count)
            #expect(!(await world.log).contains("hidden"))
            let instance = try #require(await world.answer(1)).osPID
            for name in ["DEPLOYEX_WEBHOOK_SECRET_URL", "DEPLOYEX_WEBHOOK_SECRET"] {
                #expect(ProcFolder.variable(name, of: instance) == nil)
            }
        }
    }

    @Test func `an address in systemd's folder is read again on SIGHUP`() async throws {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let (first, second) = (AgreeingReceiver(loop: loop), AgreeingReceiver(loop: loop))
        let folder = TemporaryFolder("credentials")
        @Sendable func name(_ receiver: AgreeingReceiver) async throws {
            folder.write(
                "http://127.0.0.1:\(try await receiver.listen())/hidden-path\n",
                "DEPLOYEX_WEBHOOK_SECRET_URL", mode: 0o600)
        }
        try await name(first)
        let options = DeployexWorld.Options(variables: ["CREDENTIALS_DIRECTORY": folder.path])
        try await DeployexWorld.run(options) { world in
            try await world.bring(to: "0.1.0")
            try await eventually("the first is told") { await first.events.count >= 2 }
            try await name(second)
            try await world.signalDeployex(SIGHUP)
            try await world.waitForLog("SIGHUP: secrets are read again, changed: webhook")
            try await world.bring(to: "0.1.1")
            try await eventually("the second is told") { await second.events.count >= 2 }
            #expect(await second.events == ["deployment_begun 0.1.1", "deployment_done 0.1.1"])
            #expect(await first.events.count == 2)
            #expect(!(await world.log).contains("hidden"))
        }
    }

    @Test func `notify-test sends a test to each receiver, and says what each answers`()
        async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let receiver = AgreeingReceiver(loop: loop)
        let port = try await receiver.listen()
        let folder = TemporaryFolder("notify")
        folder.write("http://127.0.0.1:\(port)/hidden-path\n", "webhook", mode: 0o600)
        let refused = FreePorts.take()
        func test(_ arguments: String..., file: Bool = false) throws -> (Int32?, String) {
            var variables = ["PATH": ThisHost.path, "HOME": folder.path]
            if file { variables["DEPLOYEX_WEBHOOK_SECRET_URL_FILE"] = folder("webhook") }
            variables["DEPLOYEX_SLACK_SECRET_URL"] = "http://127.0.0.1:\(refused)/hidden-path"
            let result = try ChildProcess(
                BuiltProgram.deployex, ["notify-test"] + arguments, environment: variables,
                output: .pipe
            ).wait()
            return (result.status, result.output)
        }
        let (status, output) = try test(file: true)
        #expect(status == 1)
        #expect(output.contains("webhook: taken (status 200)"), "\(output)")
        #expect(output.contains("Slack: ") && !output.contains("hidden"), "\(output)")
        #expect(try test("--sink", "webhook", file: true).0 == 0)
        #expect(await receiver.events == ["test -", "test -"])
        let missing = try test("--sink", "pagerduty")
        #expect(missing.0 == 2 && missing.1.contains("not configured"), "\(missing)")
    }
}

/// Answers 200 to everybody, and keeps what was told.
private actor AgreeingReceiver {
    private nonisolated let loop: EventLoop
    private var streams: [TCPStream] = []
    private var texts: [ObjectIdentifier: String] = [:]
    private(set) var events: [String] = []
    private(set) var signedCount = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) {
        self.loop = loop
    }

    func listen() throws -> UInt16 {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in self.assumeIsolated { $0.accept(stream) } }
        return listener.address.port
    }

    private func accept(_ stream: TCPStream) {
        streams.append(stream)
        stream.start(
            receive: { bytes in
                let text = String(decoding: [UInt8](copying: bytes), as: UTF8.self)
                self.assumeIsolated { $0.received(text, stream) }
            }, end: { _ in })
    }

    private func received(_ part: String, _ stream: TCPStream) {
        let text = (texts[ObjectIdentifier(stream)] ?? "") + part
        texts[ObjectIdentifier(stream)] = text
        // The content is one line of JSON that ends with its object.
        guard text.hasSuffix("}") else { return }
        func value(_ key: String) -> Substring {
            text.split(separator: "\"\(key)\":\"").dropFirst().first?.prefix { $0 != "\"" } ?? "-"
        }
        events.append("\(value("event")) \(value("version"))")
        if text.contains("X-Deployex-Signature: sha256=") { signedCount += 1 }
        stream.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
        stream.finish()
    }
}

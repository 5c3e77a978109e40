import Glibc
import Synchronization
import Testing

@testable import Transport

/// What one end of a TLS connection saw, as a driver would collect it.
actor TLSEndpoint {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private var stream: (any ByteStream)?
    private var tcp: TCPStream?
    private var received: [UInt8] = []
    private var receivedCount = 0
    private var keepsBytes = true
    private var end: StreamEnd?
    private var waiters:
        [(condition: (TLSEndpoint) -> Bool, done: CheckedContinuation<Void, Never>)] =
            []

    init(loop: EventLoop) {
        self.loop = loop
    }

    func adopt(
        _ stream: any ByteStream, reading: Bool = true, echo: Bool = false, sending: [UInt8] = [],
        keepsBytes: Bool = true
    ) {
        self.stream = stream
        self.keepsBytes = keepsBytes
        stream.isReadingPaused = !reading
        stream.start(
            receive: { bytes in
                var copy: [UInt8] = []
                bytes.withUnsafeBytes { copy += $0 }
                self.assumeIsolated { endpoint in
                    if echo { endpoint.stream?.send(copy) }
                    endpoint.receivedCount += copy.count
                    if endpoint.keepsBytes { endpoint.received += copy }
                    endpoint.check()
                }
            },
            end: { reason in
                self.assumeIsolated { endpoint in
                    endpoint.end = reason
                    endpoint.check()
                }
            })
        // Before the handshake is finished.
        stream.send(sending)
    }

    func send(_ bytes: [UInt8]) { stream?.send(bytes) }
    func send(times: Int, _ bytes: [UInt8]) {
        for _ in 0..<times { stream?.send(bytes) }
    }
    /// Sends and closes at once, with everything unread that came.
    func say(_ bytes: [UInt8]) {
        stream?.send(bytes)
        stream?.finish()
    }

    /// Lets go of the stream, and tells whether nobody else holds it.
    func streamIsReleased() -> Bool {
        weak let held = stream
        stream = nil
        tcp = nil
        return held == nil
    }

    /// Closes the connection under TLS.
    func cut() { tcp?.close() }
    func finish() { stream?.finish() }
    func close() { stream?.close() }
    func pause() { stream?.isReadingPaused = true }
    func resume() { stream?.isReadingPaused = false }
    var queuedByteCount: Int { stream?.queuedByteCount ?? 0 }
    var count: Int { receivedCount }
    var session: TLSSession? { (stream as? TLSStream)?.session }

    func bytes(count: Int) async -> [UInt8] {
        await wait { endpoint in
            endpoint.assumeIsolated { $0.receivedCount >= count || $0.end != nil }
        }
        return received
    }

    func ended() async -> StreamEnd? {
        await wait { endpoint in endpoint.assumeIsolated { $0.end != nil } }
        return end
    }

    private func wait(for condition: @escaping (TLSEndpoint) -> Bool) async {
        guard !condition(self) else { return }
        await withCheckedContinuation { waiters.append((condition, $0)) }
    }

    private func check() {
        let ready = waiters.filter { $0.condition(self) }
        waiters.removeAll { $0.condition(self) }
        for waiter in ready { waiter.done.resume() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct TLSStreamTests {
    let loop: EventLoop
    let files: TLSFiles

    init() throws {
        loop = try .onOwnThread()
        files = try TLSFiles.shared.get()
    }

    private struct Options {
        var client: String? = "node"
        var server = "node"
        var version: TLSVersion = .tls13
        var echo = false
        var clientReads = true
        var serverReads = true
        var keepsBytes = true
        var limits = StreamLimits()
        var sending: [UInt8] = []
    }

    private func pair(
        _ change: (inout Options) -> Void = { _ in }
    ) async throws -> (client: TLSEndpoint, server: TLSEndpoint) {
        var options = Options()
        change(&options)
        let chosen = options
        let versions = options.version...options.version
        let serverContext = try TLSContext(
            files.configuration(options.server, versions: versions), role: .server)
        let clientContext = try TLSContext(
            files.configuration(options.client, versions: versions), role: .client)
        let server = TLSEndpoint(loop: loop)
        let client = TLSEndpoint(loop: loop)
        let loop = loop
        let address = try await server.listen { tcp in
            guard
                let stream = try? TLSStream(
                    accepting: tcp, serverContext, on: loop, handshakeTimeout: .seconds(50))
            else {
                Issue.record("No engine")
                return
            }
            server.assumeIsolated {
                $0.adopt(
                    stream, reading: chosen.serverReads, echo: chosen.echo,
                    keepsBytes: chosen.keepsBytes)
            }
        }
        try await client.connect(
            to: address, clientContext, limits: options.limits, reading: options.clientReads,
            sending: options.sending, keepsBytes: options.keepsBytes)
        return (client, server)
    }

    @Test(arguments: TLSVersion.allCases)
    func `bytes arrive in order, large and small ones mixed, from before the handshake on`(
        version: TLSVersion
    ) async throws {
        var expected: [UInt8] = [42, 43]
        let (client, server) = try await pair {
            $0.version = version
            $0.echo = true
            $0.sending = expected
        }
        for size in [1, 3, 100_000, 7, 2_000_000, 65_536, 1] {
            let chunk = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
            expected += chunk
            await client.send(chunk)
        }
        #expect(await client.bytes(count: expected.count) == expected)
        #expect(await client.queuedByteCount == 0)
        let session = try #require(await server.session)
        #expect(session.version == (version == .tls12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(session.peerCertificate?.subject == "node")
        await client.close()
        #expect(await server.ended() == .closedByPeer)
        loop.stop()
    }

    @Test func `messages of one round become one record`() async throws {
        let server = ByteCountingServer(
            loop: loop, try TLSContext(files.configuration("node"), role: .server))
        let address = try await server.listen()
        let client = TLSEndpoint(loop: loop)
        try await client.connect(
            to: address, try TLSContext(files.configuration("node"), role: .client), sending: [0])
        let before = await server.ciphertext(forPlaintext: 1)
        await client.send(times: 100, [1, 2, 3, 4])
        // A header of 5 bytes, the content, its type and the tag (RFC 8446, section 5.2).
        #expect(await server.ciphertext(forPlaintext: 401) - before == 5 + 400 + 1 + 16)
        loop.stop()
    }

    @Test func `64 MB pass through bounded buffers while the reader pauses again and again`()
        async throws
    {
        let (client, server) = try await pair { $0.keepsBytes = false }
        let total = 64 << 20
        let chunk = [UInt8](repeating: 7, count: 1 << 20)
        var sent = 0
        while sent < total {
            if await client.queuedByteCount < 4 << 20 {
                await client.send(chunk)
                sent += chunk.count
                if sent % (8 << 20) == 0 {
                    await server.pause()
                    await server.resume()
                }
            } else {
                await loop.sleep(for: .milliseconds(1))
            }
        }
        _ = await server.bytes(count: total)
        #expect(await server.count == total)
        loop.stop()
    }

    @Test func `finish sends what is queued, then the end`() async throws {
        let (client, server) = try await pair()
        let bytes = [UInt8](repeating: 9, count: 8_000_000)
        await client.send(bytes)
        await client.finish()
        #expect(await server.ended() == .closedByPeer)
        #expect(await server.bytes(count: bytes.count) == bytes)
        loop.stop()
    }

    @Test func `a peer that is cut off is told from one that ends`() async throws {
        let (client, server) = try await pair { $0.sending = [1] }
        #expect(await server.bytes(count: 1) == [1])
        await client.cut()
        #expect(await server.ended() == .tls(.closedWithoutNotice))
        loop.stop()
    }

    @Test func `a peer that does not read fills the queue up to its limit, no further`()
        async throws
    {
        let (client, _) = try await pair {
            $0.serverReads = false
            $0.limits.queuedByteCount = 1 << 20
        }
        for _ in 0..<64 { await client.send([UInt8](repeating: 0, count: 1 << 18)) }
        #expect(await client.ended() == .sendQueueFull)
        #expect(await client.queuedByteCount == 0)
        loop.stop()
    }

    @Test func `what waits for a handshake that never ends is bounded too`() async throws {
        let silent = TLSEndpoint(loop: loop)
        let address = try await silent.listen { tcp in
            silent.assumeIsolated { $0.adopt(tcp) }
        }
        let client = TLSEndpoint(loop: loop)
        var limits = StreamLimits()
        limits.queuedByteCount = 1 << 20
        try await client.connect(
            to: address, try TLSContext(files.configuration("node"), role: .client), limits: limits)
        for _ in 0..<5 { await client.send([UInt8](repeating: 0, count: 1 << 18)) }
        #expect(await client.ended() == .sendQueueFull)
        loop.stop()
    }

    @Test func `a peer that stops reading is given up after the send deadline`() async throws {
        let (client, _) = try await pair {
            $0.serverReads = false
            $0.limits.sendDeadline = .milliseconds(50)
        }
        await client.send([UInt8](repeating: 0, count: 32 << 20))
        #expect(await client.ended() == .sendTimedOut)
        loop.stop()
    }

    @Test func `a paused stream finishes its handshake, and delivers nothing until it goes on`()
        async throws
    {
        let (client, server) = try await pair { $0.serverReads = false }
        await client.send([7])
        await loop.sleep(for: .milliseconds(30))
        #expect(await server.session != nil)
        #expect(await server.count == 0)
        await server.resume()
        #expect(await server.bytes(count: 1) == [7])
        loop.stop()
    }

    @Test func `a peer that says nothing is given up after the handshake's time`() async throws {
        let silent = TLSEndpoint(loop: loop)
        let address = try await silent.listen { tcp in
            silent.assumeIsolated { $0.adopt(tcp) }
        }
        let client = TLSEndpoint(loop: loop)
        try await client.connect(
            to: address, try TLSContext(files.configuration("node"), role: .client),
            timeout: .milliseconds(100))
        #expect(await client.ended() == .tls(.handshakeTimedOut))
        loop.stop()
    }

    @Test(arguments: ["close", "finish", "peer"])
    func `a stream that has ended is let go of, with its engine`(end: String) async throws {
        let (client, server) = try await pair { $0.sending = [1] }
        #expect(await server.bytes(count: 1) == [1])
        switch end {
        case "close": await client.close()
        case "finish": await client.finish()
        default: await server.close()
        }
        _ = await (end == "peer" ? client : server).ended()
        // What was scheduled for the end has run when a later timer has.
        await loop.sleep(for: .milliseconds(5))
        #expect(await client.streamIsReleased())
        #expect(await server.streamIsReleased())
        loop.stop()
    }

    // MARK: Refusals

    @Test(arguments: TLSVersion.allCases)
    func `both ends of a refused client learn why, even when it has begun to talk`(
        version: TLSVersion
    ) async throws {
        for _ in 0..<20 {
            let (client, server) = try await pair {
                $0.version = version
                $0.client = "stranger"
                $0.sending = [UInt8](repeating: 1, count: 300_000)
            }
            #expect(
                await server.ended()
                    == .tls(
                        .certificateRefused(
                            .unknownAuthority(issuer: "another CA"), subject: "stranger")))
            #expect(await client.ended() == .tls(.refusedByPeer(TLSAlert(code: 48))))
            #expect(await server.count == 0)
        }
        loop.stop()
    }

    @Test(arguments: TLSVersion.allCases)
    func `both ends of a refused server learn why`(version: TLSVersion) async throws {
        let (client, server) = try await pair {
            $0.version = version
            $0.server = "elsewhere"
        }
        #expect(
            await client.ended()
                == .tls(
                    .certificateRefused(
                        .nameMismatch(expected: "localhost", found: ["elsewhere", "farther"]),
                        subject: "elsewhere")))
        guard case .tls(.refusedByPeer) = await server.ended() else {
            Issue.record("\(String(describing: await server.ended()))")
            return
        }
        loop.stop()
    }

    @Test(arguments: TLSVersion.allCases)
    func `both ends learn that the client has no certificate`(version: TLSVersion) async throws {
        let (client, server) = try await pair {
            $0.version = version
            $0.client = nil
        }
        #expect(await server.ended() == .tls(.missingCertificate))
        let alert = TLSAlert(code: version == .tls12 ? 40 : 116)
        #expect(await client.ended() == .tls(.refusedWithoutCertificate(alert)))
        loop.stop()
    }

    @Test func `the last words of a peer that resets the connection are read first`() async throws {
        let server = TLSEndpoint(loop: loop)
        let address = try await server.listen { tcp in
            server.assumeIsolated { $0.adopt(tcp, reading: false) }
        }
        let client = TLSEndpoint(loop: loop)
        await client.adopt(
            try await TCPStream.connect(to: address, timeout: .seconds(5), on: loop))
        // More than the kernel takes: the client waits to write.
        await client.send([UInt8](repeating: 0, count: 32 << 20))
        await loop.sleep(for: .milliseconds(20))
        await server.say([1, 2, 3])
        _ = await client.ended()
        #expect(await client.bytes(count: 3) == [1, 2, 3])
        loop.stop()
    }

    @Test func `a plain peer on a TLS port is told apart`() async throws {
        let server = TLSEndpoint(loop: loop)
        let context = try TLSContext(files.configuration("node"), role: .server)
        let loop = loop
        let address = try await server.listen { tcp in
            guard
                let stream = try? TLSStream(
                    accepting: tcp, context, on: loop, handshakeTimeout: .seconds(60))
            else { return }
            server.assumeIsolated { $0.adopt(stream) }
        }
        let client = TLSEndpoint(loop: loop)
        await client.adopt(
            try await TCPStream.connect(to: address, timeout: .seconds(5), on: loop),
            sending: [0, 20, 78] + [UInt8](repeating: 0, count: 19))
        #expect(await server.ended() == .tls(.notTLS(.erlangDistribution)))
        loop.stop()
    }

    @Test func `a plain server that answers, and one that closes, are told apart`() async throws {
        let server = TLSEndpoint(loop: loop)
        let address = try await server.listen { tcp in
            server.assumeIsolated { $0.adopt(tcp, sending: Array("HTTP/1.1 400 No\r\n\r\n".utf8)) }
        }
        let context = try TLSContext(files.configuration("node"), role: .client)
        let client = TLSEndpoint(loop: loop)
        try await client.connect(to: address, context)
        #expect(await client.ended() == .tls(.notTLS(.http)))

        let closing = TLSEndpoint(loop: loop)
        let other = try await closing.listen { $0.close() }
        let second = TLSEndpoint(loop: loop)
        try await second.connect(to: other, context)
        #expect(await second.ended() == .tls(.closedDuringHandshake))
        loop.stop()
    }

    @Test func `a stream whose handshake has not begun can be closed`() async throws {
        let server = TLSEndpoint(loop: loop)
        let context = try TLSContext(files.configuration("node"), role: .server)
        let loop = loop
        let address = try await server.listen { tcp in
            try? TLSStream(accepting: tcp, context, on: loop, handshakeTimeout: .seconds(60))
                .close()
        }
        let client = TLSEndpoint(loop: loop)
        try await client.connect(
            to: address, try TLSContext(files.configuration("node"), role: .client))
        #expect(await client.ended() == .tls(.closedDuringHandshake))
        loop.stop()
    }
}

extension TLSEndpoint {
    /// Listens on loopback; each connection goes to `accept`.
    func listen(_ accept: @escaping @Sendable (TCPStream) -> Void) throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start(accept: accept)
        return listener.address
    }

    func connect(
        to address: SocketAddress, _ context: TLSContext, limits: StreamLimits = StreamLimits(),
        reading: Bool = true, sending: [UInt8] = [], keepsBytes: Bool = true,
        timeout: Duration = .seconds(50)
    ) async throws {
        let tcp = try await TCPStream.connect(
            to: address, timeout: timeout, on: loop, limits: limits)
        let stream = try TLSStream(
            connecting: tcp, to: "localhost", context, on: loop, limits: limits,
            handshakeTimeout: timeout)
        self.tcp = tcp
        adopt(stream, reading: reading, sending: sending, keepsBytes: keepsBytes)
    }
}

/// A server that counts what is on the wire, with an engine of its own.
actor ByteCountingServer {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let engine: TLSEngine?
    private var ciphertext = 0
    private var plaintext = 0
    private var waiter: (count: Int, done: CheckedContinuation<Int, Never>)?

    init(loop: EventLoop, _ context: TLSContext) {
        self.loop = loop
        engine = try? context.makeEngine()
    }

    func listen() throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { tcp in
            tcp.start(
                receive: { bytes in
                    var copy: [UInt8] = []
                    bytes.withUnsafeBytes { copy += $0 }
                    self.assumeIsolated { $0.received(copy, tcp) }
                }, end: { _ in })
        }
        return listener.address
    }

    private func received(_ bytes: [UInt8], _ tcp: TCPStream) {
        guard let engine else { return }
        ciphertext += bytes.count
        plaintext += engine.received(bytes).plaintext.count
        tcp.send(engine.takeOutgoing())
        if let waiter, plaintext >= waiter.count {
            waiter.done.resume(returning: ciphertext)
            self.waiter = nil
        }
    }

    func ciphertext(forPlaintext count: Int) async -> Int {
        if plaintext >= count { return ciphertext }
        return await withCheckedContinuation { waiter = (count, $0) }
    }
}

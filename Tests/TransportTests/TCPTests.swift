import Glibc
import TestKit
import Testing

@testable import Transport

/// What one end of a connection saw, as a driver would collect it.
actor Endpoint {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private var stream: TCPStream?
    private var listener: TCPListener?
    private var received: [UInt8] = []
    private var end: StreamEnd?
    private var waiters: [(condition: (Endpoint) -> Bool, done: CheckedContinuation<Void, Never>)] =
        []

    init(loop: EventLoop) {
        self.loop = loop
    }

    func adopt(_ stream: TCPStream, echo: Bool = false, reading: Bool = true) {
        self.stream = stream
        stream.isReadingPaused = !reading
        stream.start(
            receive: { bytes in
                var copy: [UInt8] = []
                for index in bytes.indices { copy.append(bytes[index]) }
                self.assumeIsolated { endpoint in
                    if echo { endpoint.stream?.send(copy) }
                    endpoint.received += copy
                    endpoint.check()
                }
            },
            end: { reason in
                self.assumeIsolated { endpoint in
                    endpoint.end = reason
                    endpoint.check()
                }
            })
    }

    func connect(to address: SocketAddress, limits: StreamLimits = StreamLimits()) async throws {
        adopt(
            try await TCPStream.connect(
                to: address, timeout: .seconds(5), on: loop, limits: limits))
    }

    /// Listens on loopback; each connection goes to `accept`.
    func listen(_ accept: @escaping @Sendable (TCPStream) -> Void) throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        self.listener = listener
        try listener.start(accept: accept)
        return listener.address
    }

    var hasVisitor: Bool { stream != nil }
    var localAddress: SocketAddress { stream?.localAddress ?? .any(port: 0) }

    func send(_ bytes: [UInt8]) { stream?.send(bytes) }
    func finish() { stream?.finish() }
    func close() { stream?.close() }
    func resume() { stream?.isReadingPaused = false }
    var queuedByteCount: Int { stream?.queuedByteCount ?? 0 }

    func bytes(count: Int) async -> [UInt8] {
        await wait { endpoint in
            endpoint.assumeIsolated { $0.received.count >= count || $0.end != nil }
        }
        return received
    }

    func ended() async -> StreamEnd? {
        await wait { endpoint in endpoint.assumeIsolated { $0.end != nil } }
        return end
    }

    private func wait(for condition: @escaping (Endpoint) -> Bool) async {
        guard !condition(self) else { return }
        await withCheckedContinuation { waiters.append((condition, $0)) }
    }

    private func check() {
        let ready = waiters.filter { $0.condition(self) }
        waiters.removeAll { $0.condition(self) }
        for waiter in ready { waiter.done.resume() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct TCPTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func pair(
        echo: Bool = false, reading: Bool = true, limits: StreamLimits = StreamLimits()
    ) async throws -> (client: Endpoint, server: Endpoint) {
        let server = Endpoint(loop: loop)
        let client = Endpoint(loop: loop)
        let address = try await server.listen { stream in
            server.assumeIsolated { $0.adopt(stream, echo: echo, reading: reading) }
        }
        try await client.connect(to: address, limits: limits)
        return (client, server)
    }

    @Test func `bytes arrive in order, large and small ones mixed`() async throws {
        let (client, _) = try await pair(echo: true)
        var expected: [UInt8] = []
        for size in [1, 3, 100_000, 7, 2_000_000, 65_536, 1] {
            let chunk = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
            expected += chunk
            await client.send(chunk)
        }
        #expect(await client.bytes(count: expected.count) == expected)
        await client.close()
        loop.stop()
    }

    @Test func `a peer that closes is reported once, after its last bytes`() async throws {
        let (client, server) = try await pair()
        await client.send([1, 2, 3])
        await client.finish()
        #expect(await server.ended() == .closedByPeer)
        #expect(await server.bytes(count: 3) == [1, 2, 3])
        loop.stop()
    }

    @Test func `finish sends what is queued before it closes`() async throws {
        let (client, server) = try await pair()
        let bytes = [UInt8](repeating: 9, count: 8_000_000)
        await client.send(bytes)
        await client.finish()
        #expect(await server.ended() == .closedByPeer)
        #expect(await server.bytes(count: bytes.count) == bytes)
        loop.stop()
    }

    @Test func `a peer that does not read fills the queue up to its limit, no further`()
        async throws
    {
        var limits = StreamLimits()
        limits.queuedByteCount = 1 << 20
        let (client, _) = try await pair(reading: false, limits: limits)
        for _ in 0..<64 { await client.send([UInt8](repeating: 0, count: 1 << 18)) }
        #expect(await client.ended() == .sendQueueFull)
        #expect(await client.queuedByteCount == 0)
        loop.stop()
    }

    @Test func `a peer that stops reading is given up after the send deadline`() async throws {
        var limits = StreamLimits()
        limits.sendDeadline = .milliseconds(50)
        let (client, _) = try await pair(reading: false, limits: limits)
        await client.send([UInt8](repeating: 0, count: 32 << 20))
        #expect(await client.ended() == .sendTimedOut)
        loop.stop()
    }

    @Test func `a paused stream reads nothing until it goes on`() async throws {
        let (client, server) = try await pair(reading: false)
        await client.send([7])
        await loop.sleep(for: .milliseconds(20))
        await server.resume()
        #expect(await server.bytes(count: 1) == [7])
        loop.stop()
    }

    @Test func `a refused connection names the address and the reason`() async throws {
        let client = Endpoint(loop: loop)
        let address = SocketAddress.loopback(port: UInt16(FreePorts.take()))
        await #expect(
            throws: SystemError("connecting to \(address)", code: ECONNREFUSED)
        ) { try await client.connect(to: address) }
        loop.stop()
    }

    @Test func `a host name resolves to its addresses, and an unknown one to a reason`()
        async throws
    {
        #expect(try await SocketAddress.resolve("localhost", port: 5).contains(.loopback(port: 5)))
        let literal = try #require(SocketAddress("::1", port: 1))
        #expect(try await SocketAddress.resolve("::1", port: 1) == [literal])
        await #expect(throws: ResolutionError.self) {
            try await SocketAddress.resolve("no such host.invalid", port: 1)
        }
        loop.stop()
    }

    @Test func `addresses print as they are written`() {
        #expect(SocketAddress("10.1.2.3", port: 80)?.description == "10.1.2.3:80")
        #expect(SocketAddress("::1", port: 80)?.description == "[::1]:80")
        #expect(SocketAddress("host", port: 80) == nil)
        #expect(SocketAddress("::1", port: 80)?.isLoopback == true)
        #expect(SocketAddress("10.0.0.1", port: 80)?.isLoopback == false)
    }
}

import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

/// A peer that does the handshake and then sends whatever bytes a test wants, over TCP or TLS.
actor RawPeer {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let tls: DistributionTLS?
    private var stream: (any ByteStream)?
    private var received: [UInt8] = []
    private(set) var hasEnded = false

    init(loop: EventLoop, tls: DistributionTLS? = nil) {
        self.loop = loop
        self.tls = tls
    }

    func connect(to address: SocketAddress) async throws {
        let tcp = try await TCPStream.connect(to: address, timeout: .seconds(5), on: loop)
        let stream: any ByteStream =
            try await tls?.connect(tcp, to: "localhost", on: loop, handshakeTimeout: .seconds(10))
            ?? tcp
        self.stream = stream
        hasEnded = false
        received = []
        stream.start(
            receive: { bytes in for index in bytes.indices { self.received.append(bytes[index]) } },
            end: { _ in self.hasEnded = true })
    }

    /// Connects as `name` and completes the handshake.
    func connect(
        to address: SocketAddress, as name: String, node: NodeName,
        flags: DistributionFlags = .standard
    ) async throws {
        try await connect(to: address)
        var handshake = ClientHandshake(
            identity: .named(try NodeName(name), creation: 77), to: node, flags: flags,
            cookie: "secret", challenge: 1)
        var actions = handshake.start()
        while true {
            for action in actions {
                switch action {
                case .send(let message):
                    send(HandshakePacketDecoder.framed(message, width: width))
                case .complete: return
                case .fail(let error): throw error
                }
            }
            let head = try await bytes(count: width.rawValue)
            let length = head.reduce(0) { $0 << 8 | Int($1) }
            actions = handshake.receive(try await bytes(count: length))
        }
    }

    private var width: HandshakePacketDecoder.LengthWidth {
        tls == nil ? .twoBytes : .fourBytes
    }

    func send(_ bytes: [UInt8]) { stream?.send(bytes) }

    /// Sends one byte after the other, each after a pause, until the end of either.
    func drip(_ bytes: [UInt8], every pause: Duration) async {
        for byte in bytes where !hasEnded {
            send([byte])
            await loop.sleep(for: pause)
        }
    }

    /// Reads no more from here on.
    func stopReading() { stream?.isReadingPaused = true }

    /// Sends the same again and again, as fast as the other side takes it, until `condition` holds.
    func flood(_ bytes: [UInt8], until condition: @Sendable () async -> Bool) async throws {
        let deadline = MonotonicTime.now + .seconds(30)
        while await !condition(), !hasEnded {
            guard MonotonicTime.now < deadline else { throw Late(what: "the end of a flood") }
            if (stream?.queuedByteCount ?? 0) < 1 << 20 { send(bytes) }
            await loop.sleep(for: .milliseconds(1))
        }
    }

    func close() { stream?.close() }

    /// Closes once everything has left.
    func finish() { stream?.finish() }

    func setReadingPaused(_ isPaused: Bool) { stream?.isReadingPaused = isPaused }

    /// The next bytes, of which there must be so many in time.
    func bytes(count: Int) async throws -> [UInt8] {
        try await eventually("\(count) bytes") { self.received.count >= count || self.hasEnded }
        guard received.count >= count else { throw Late(what: "\(count) bytes before the end") }
        defer { received.removeFirst(count) }
        return Array(received.prefix(count))
    }

    /// The next frame that is no tick.
    func frame() async throws -> [UInt8] {
        while true {
            let head = try await bytes(count: 4)
            let length = head.reduce(0) { $0 << 8 | Int($1) }
            if length > 0 { return try await bytes(count: length) }
        }
    }

    /// The next message.
    func message() async throws -> ControlMessage? {
        var decoder = MessageDecoder(form: .header)
        let frame = try await frame()
        return try decoder.decode(frame, now: .now)
    }

    /// Reads until a ping is answered or the connection has ended, whatever else comes.
    func waitForPong() async throws {
        let deadline = MonotonicTime.now + .seconds(60)
        let pong = Array("after".utf8)
        var position = 0
        while !hasEnded {
            guard MonotonicTime.now < deadline else { throw Late(what: "the answer to a ping") }
            let end = received.count
            if received[position...].firstRange(of: pong) != nil { return }
            position = max(end - pong.count, 0)
            await loop.sleep(for: .milliseconds(2))
        }
    }

    func waitForEnd() async throws {
        try await eventually("the end") { self.hasEnded }
    }

    struct Late: Error { var what: String }
}

/// Accepts connections, answers the first message, and no more.
actor SilentServer {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let answer: [UInt8]
    private var streams: [TCPStream] = []
    private var hasHeard = false

    init(loop: EventLoop, answer: [UInt8] = []) {
        self.loop = loop
        self.answer = answer
    }

    func listen() throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in
            stream.start(
                receive: { _ in
                    self.hasHeard = true
                    stream.send(self.answer)
                }, end: { _ in })
            self.streams.append(stream)
        }
        return listener.address
    }

    func waitForName() async throws {
        try await eventually("a name") { self.hasHeard }
    }
}

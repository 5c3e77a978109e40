import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

/// Has a challenge answered by whoever dials: it listens under another node's name, and when it is
/// dialled it dials `target` itself and passes the target's challenge off as its own.
private actor Relay {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let target: SocketAddress
    private let name: String
    private var dialled: TCPStream?
    private var dialling: TCPStream?
    private var fromVictim: [UInt8] = []
    private var fromTarget: [UInt8] = []
    /// Messages of either side that have been dealt with.
    private var victimCount = 0
    private var targetCount = 0
    /// What the victim answered: a challenge and a digest that only the cookie gives.
    private(set) var answer: [UInt8]?
    private(set) var hasBeenDialled = false

    init(loop: EventLoop, posingAs name: String, target: SocketAddress) {
        self.loop = loop
        self.name = name
        self.target = target
    }

    func listen() throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in self.assumeIsolated { $0.accept(stream) } }
        return listener.address
    }

    private func accept(_ stream: TCPStream) {
        hasBeenDialled = true
        dialled = stream
        stream.start(
            receive: { bytes in
                for index in bytes.indices { self.fromVictim.append(bytes[index]) }
                self.assumeIsolated { $0.victimSpoke() }
            }, end: { _ in })
    }

    private func victimSpoke() {
        while let message = Self.message(&fromVictim) {
            victimCount += 1
            if victimCount == 1 {
                dialled?.send(HandshakePacketDecoder.framed(Array("sok".utf8), width: .twoBytes))
                Task { try await dialTarget() }
            } else {
                answer = message
                // Its digest is right for the target's challenge, whatever challenge stands before.
                dialling?.send(HandshakePacketDecoder.framed(message, width: .twoBytes))
            }
        }
    }

    private func dialTarget() async throws {
        let stream = try await TCPStream.connect(to: target, timeout: .seconds(5), on: loop)
        dialling = stream
        stream.start(
            receive: { bytes in
                for index in bytes.indices { self.fromTarget.append(bytes[index]) }
                self.assumeIsolated { $0.targetSpoke() }
            }, end: { _ in })
        let sent = HandshakeMessage.SentName(
            flags: .standard, creation: 7, name: "mallory@localhost")
        stream.send(
            HandshakePacketDecoder.framed(HandshakeMessage.name(sent).encoded(), width: .twoBytes))
    }

    private func targetSpoke() {
        while let message = Self.message(&fromTarget) {
            targetCount += 1
            // A status, then the challenge.
            guard targetCount == 2, message.count > 13 else { continue }
            let challenge = message[9..<13].reduce(0) { $0 << 8 | UInt32($1) }
            let posed = HandshakeMessage.challenge(
                .init(flags: .standard, challenge: challenge, creation: 9, name: name))
            dialled?.send(HandshakePacketDecoder.framed(posed.encoded(), width: .twoBytes))
        }
    }

    private static func message(_ bytes: inout [UInt8]) -> [UInt8]? {
        guard bytes.count >= 2 else { return nil }
        let count = Int(bytes[0]) << 8 | Int(bytes[1])
        guard bytes.count >= 2 + count else { return nil }
        defer { bytes.removeFirst(2 + count) }
        return Array(bytes[2..<2 + count])
    }
}

/// The connecting side answers first: it must know whom.
@Suite(.timeLimit(.minutes(1))) struct ReflectionTests {
    let loop: EventLoop
    private let log = Log()

    private final class Log: Sendable {
        let lines = Guarded<[String]>([])
        func append(_ text: String) { lines.withLock { $0.append(text) } }
    }

    init() throws {
        loop = try .onOwnThread()
    }

    private func node(
        _ name: String, configuration: Node.Configuration = Node.Configuration(),
        finding address: @escaping @Sendable () -> SocketAddress? = { nil }
    ) async throws -> (Node, SocketAddress) {
        let node = Node(
            name: try NodeName(name), cookie: "secret", loop: loop, configuration: configuration
        ) { _ in AddressSearch([address()].compactMap(\.self)) }
        return (node, try await node.listen(on: .loopback(port: 0)))
    }

    private var lines: [String] { log.lines.withLock { $0 } }

    @Test(.enabled(if: Stranger.isPossible, "root alone can act for another user"))
    func `a stranger who took a node's name gets no answer to another node's challenge`()
        async throws
    {
        let place = Guarded<SocketAddress?>(nil)
        let (target, address) = try await node("target@localhost")
        let (victim, _) = try await node("victim@localhost") { place.withLock { $0 } }
        let log = log
        await victim.setLogHandler { _, text in log.append(text) }
        let relay = Relay(loop: loop, posingAs: "app-1@localhost", target: address)
        let listening = try await relay.listen()
        place.withLock { $0 = listening }
        try Stranger.takesOver(listening)
        for _ in 0..<3 {
            await #expect(throws: CallError.self) {
                try await victim.ping(NodeName("app-1@localhost"), timeout: .seconds(5))
            }
        }
        #expect(await target.connectedNodes.isEmpty)
        #expect(await relay.answer == nil)
        #expect(await !relay.hasBeenDialled)
        #expect(
            lines == [
                "app-1@localhost is not connected to: what listens at \(listening) belongs to "
                    + "uid 54321: stop it, or trust its user"
            ])
        loop.stop()
    }

    @Test func `a challenge of our own is not answered to whom we dial`() async throws {
        let place = Guarded<SocketAddress?>(nil)
        let (victim, address) = try await node("victim@localhost") { place.withLock { $0 } }
        let log = log
        await victim.setLogHandler { _, text in log.append(text) }
        let relay = Relay(loop: loop, posingAs: "app-1@localhost", target: address)
        let listening = try await relay.listen()
        place.withLock { $0 = listening }
        await #expect(
            throws: CallError.refused(
                "connecting to app-1@localhost: \(HandshakeError.reflectedChallenge)")
        ) { try await victim.ping(NodeName("app-1@localhost"), timeout: .seconds(5)) }
        #expect(await relay.hasBeenDialled)
        #expect(await relay.answer == nil)
        #expect(await victim.connectedNodes.isEmpty)
        #expect(lines.count == 1)
        #expect(
            lines.first?.hasPrefix("app-1@localhost at \(listening) is not connected to") == true)
        loop.stop()
    }

    @Test func `what must be true of a node's listener is asked for each node`() async throws {
        let place = Guarded<SocketAddress?>(nil)
        let (_, address) = try await node("app-1@localhost")
        place.withLock { $0 = address }
        let asked = Guarded<[String]>([])
        var configuration = Node.Configuration()
        configuration.trust = { name in
            asked.withLock { $0.append(name.text) }
            return ListenerTrust { _ in .notItsOwn("is not app-1") }
        }
        let (victim, _) = try await node("victim@localhost", configuration: configuration) {
            place.withLock { $0 }
        }
        await #expect(
            throws: CallError.refused(
                "connecting to app-1@localhost: what listens at \(address) is not app-1")
        ) { try await victim.ping(NodeName("app-1@localhost"), timeout: .seconds(5)) }
        #expect(asked.withLock { $0 } == ["app-1@localhost"])
        loop.stop()
    }

    @Test func `who has connected is told, with address and user`() async throws {
        let (node, address) = try await node("victim@localhost")
        let log = log
        await node.setLogHandler { level, text in
            log.append("\(level.rawValue) \(text)")
        }
        let peer = RawPeer(loop: loop)
        try await peer.connect(
            to: address, as: "peer@localhost", node: NodeName("victim@localhost"))
        try await eventually("a line") { !lines.isEmpty }
        let user = UserDatabase.text(TrustedUsers.own)
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("info peer@localhost has connected from 127.0.0.1:"))
        #expect(lines[0].hasSuffix(" of \(user)"))
        let other = RawPeer(loop: loop)
        try await other.connect(to: address)
        await other.send([0, 1, 0])
        try await eventually("another line") { lines.count == 2 }
        #expect(lines[1].hasPrefix("warning A connection from 127.0.0.1:"))
        #expect(lines[1].contains(" of \(user) was refused: "))
        let named = RawPeer(loop: loop)
        try await named.connect(to: address)
        let sent = HandshakeMessage.SentName(
            flags: .standard, creation: 7, name: "mallory@localhost")
        await named.send(
            HandshakePacketDecoder.framed(HandshakeMessage.name(sent).encoded(), width: .twoBytes))
        // A status and a challenge, of which the end is an answer that tells nothing.
        _ = try await named.bytes(count: 5)
        await named.close()
        try await eventually("a third line") { lines.count == 3 }
        #expect(lines[2].contains(" of \(user), which calls itself mallory@localhost, was refused"))
        loop.stop()
    }

    @Test func `another host is not answered, and told of once`() async throws {
        var configuration = Node.Configuration()
        // Loopback stands for another host.
        configuration.admittedPeers = .networks([try #require(IPNetwork("10.0.0.0/8"))])
        let (node, address) = try await node("victim@localhost", configuration: configuration)
        let log = log
        await node.setLogHandler { _, text in log.append(text) }
        for _ in 0..<3 {
            let peer = RawPeer(loop: loop)
            try await peer.connect(to: address)
            try await peer.waitForEnd()
        }
        #expect(lines.count == 1)
        #expect(lines[0].contains("it comes from another host"))
        loop.stop()
    }

    @Test func `a process is started only for one of the peer's own`() async throws {
        let (node, address) = try await node("victim@localhost")
        let calls = Guarded(0)
        await node.expose(module: "m") { _, _, _ in
            calls.withLock { $0 += 1 }
            return .atom("done")
        }
        let peer = RawPeer(loop: loop)
        try await peer.connect(
            to: address, as: "peer@localhost", node: NodeName("victim@localhost"))
        var encoder = MessageEncoder(flags: .standard)
        func request(_ number: UInt32, from node: Atom) -> SpawnRequest {
            let from = PID(node: node, id: 5, serial: 0, creation: 77)
            return SpawnRequest(
                id: Reference(node: node, creation: 77, words: [number, 2, 3]), from: from,
                groupLeader: from, module: "m", function: "f", arguments: [],
                options: [.atom("monitor")], token: nil)
        }
        await peer.send(
            encoder.encode(.spawnRequest(request(1, from: "other@localhost"))))
        await peer.send(encoder.encode(.spawnRequest(request(2, from: "peer@localhost"))))
        guard case .spawnReply(let reply) = try await peer.message() else {
            Issue.record("no reply")
            return
        }
        #expect(reply.id.words.first == 2)
        guard case .down = try await peer.message() else {
            Issue.record("no end")
            return
        }
        #expect(calls.withLock { $0 } == 1)
        loop.stop()
    }

    // MARK: Names that are somebody's

    @Test func `who is not let in under a name is refused before the cookie, and why is logged`()
        async throws
    {
        let loop = loop
        var configuration = Node.Configuration()
        configuration.admission = { name, peer, own in
            await loop.sleep(for: .milliseconds(5))
            guard name.alive == "app-1" else { return nil }
            return peer.isLoopback && own.isLoopback ? "it is another one" : "wrong addresses"
        }
        let (node, address) = try await node("victim@localhost", configuration: configuration)
        let log = log
        await node.setLogHandler { level, text in log.append("\(level.rawValue) \(text)") }
        let name = try NodeName("victim@localhost")
        let peer = RawPeer(loop: loop)
        await #expect(throws: HandshakeError.notAllowed) {
            try await peer.connect(to: address, as: "app-1@localhost", node: name)
        }
        try await eventually("a line") { !lines.isEmpty }
        #expect(
            lines[0].contains("which calls itself app-1@localhost, was refused: it is another one"))
        #expect(await node.connectedNodes.isEmpty)
        try await peer.connect(to: address, as: "other@localhost", node: name)
        try await eventually("the other") {
            await node.connectedNodes.map(\.text) == ["other@localhost"]
        }
        loop.stop()
    }

    @Test
    func `who goes on before it has been let in is refused, and so is who has gone meanwhile`()
        async throws
    {
        let loop = loop
        let mayGoOn = Guarded(false)
        var configuration = Node.Configuration()
        configuration.admission = { _, _, _ in
            while !mayGoOn.withLock({ $0 }) { await loop.sleep(for: .milliseconds(1)) }
            return nil
        }
        let (node, address) = try await node("victim@localhost", configuration: configuration)
        let log = log
        await node.setLogHandler { _, text in log.append(text) }
        let sent = HandshakeMessage.SentName(flags: .standard, creation: 7, name: "m@localhost")
        let message = HandshakePacketDecoder.framed(
            HandshakeMessage.name(sent).encoded(), width: .twoBytes)
        let hasty = RawPeer(loop: loop)
        try await hasty.connect(to: address)
        await hasty.send(message + message)
        try await hasty.waitForEnd()
        let gone = RawPeer(loop: loop)
        try await gone.connect(to: address)
        await gone.send(message)
        await gone.close()
        try await eventually("two lines") { lines.count == 2 }
        mayGoOn.withLock { $0 = true }
        let peer = RawPeer(loop: loop)
        try await peer.connect(
            to: address, as: "m@localhost", node: NodeName("victim@localhost"))
        loop.stop()
    }
}

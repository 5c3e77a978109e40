import ExternalTermFormat
import Synchronization
import Testing
import Transport

@testable import ErlDist

/// Nodes of ours among themselves, and with peers that behave badly.
@Suite(.timeLimit(.minutes(1))) struct NodeTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func node(
        _ name: String, cookie: String = "secret",
        configuration: Node.Configuration = Node.Configuration()
    ) async throws -> (node: Node, name: NodeName, address: SocketAddress) {
        let loop = loop
        let plain = try NodeName(name)
        let node = Node(
            name: plain, cookie: cookie, loop: loop, configuration: configuration
        ) { _ in [] }
        let address = try await node.listen(on: .loopback(port: 0))
        let reached = try NodeName(alive: plain.alive, host: plain.host, port: address.port)
        return (node, reached, address)
    }

    @Test func `nodes of one host reach each other though the host's name does not resolve`()
        async throws
    {
        let first = try await node("a@no_such_host")
        let second = try await node("b@no_such_host")
        await first.node.expose(module: "m") { _, _, _ in .atom("reached") }
        #expect(
            try await second.node.call(first.name, "m", "f", [], timeout: .seconds(5))
                == .atom("reached"))
        // Another host's name is no more than what it resolves to.
        let stranger = try await node("c@localhost")
        await #expect(throws: CallError.self) {
            try await stranger.node.call(first.name, "m", "f", [], timeout: .seconds(30))
        }
        for node in [first.node, second.node, stranger.node] { await node.close() }
    }

    @Test func `two nodes call each other over one connection`() async throws {
        let first = try await node("a@localhost")
        let second = try await node("b@localhost")
        await first.node.expose(module: "m") { _, arguments, caller in
            .tuple([.atom(caller.node.atom), .list(arguments)])
        }
        await second.node.expose(module: "m") { _, _, _ in .atom("second") }
        #expect(
            try await second.node.call(first.name, "m", "f", [1], timeout: .seconds(5))
                == .tuple([.atom("b@localhost"), [1]]))
        #expect(
            try await first.node.call(second.name, "m", "f", [], timeout: .seconds(5))
                == .atom("second"))
        #expect(await first.node.connectedNodes.map(\.text) == ["b@localhost"])
        await #expect(
            throws: CallError.exception(
                class: .error, reason: .atom("undef"),
                stack: [.tuple([.atom("x"), .atom("f"), [1], []])])
        ) { try await first.node.call(second.name, "x", "f", [1], timeout: .seconds(5)) }
        loop.stop()
    }

    @Test func `a connection that says nothing is closed after the deadline`() async throws {
        var configuration = Node.Configuration()
        configuration.connectTimeout = .milliseconds(100)
        let (node, _, address) = try await node("a@localhost", configuration: configuration)
        let logged = Guarded<[String]>([])
        await node.setLogHandler { _, text in logged.withLock { $0.append(text) } }
        let peer = RawPeer(loop: loop)
        try await peer.connect(to: address)
        try await peer.waitForEnd()
        #expect(logged.withLock { $0.first?.contains("not finished in time") } == true)
        loop.stop()
    }

    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), [0x16, 3, 1, 2, 0], [0, 3, 1, 2, 3], [0, 0],
        ] as [[UInt8]])
    func `what is no handshake is closed at once`(bytes: [UInt8]) async throws {
        let (_, _, address) = try await node("a@localhost")
        let peer = RawPeer(loop: loop)
        try await peer.connect(to: address)
        await peer.send(bytes)
        try await peer.waitForEnd()
        loop.stop()
    }

    @Test func `one unfinished handshake too many ends the oldest, and newcomers are served`()
        async throws
    {
        var configuration = Node.Configuration()
        configuration.maximumHandshakes = 3
        configuration.connectTimeout = .seconds(300)
        let (node, name, address) = try await node("a@localhost", configuration: configuration)
        var peers: [RawPeer] = []
        for _ in 0..<3 {
            let peer = RawPeer(loop: loop)
            try await peer.connect(to: address)
            peers.append(peer)
        }
        let late = RawPeer(loop: loop)
        try await late.connect(to: address, as: "late@localhost", node: name)
        #expect(await node.connectedNodes.map(\.text) == ["late@localhost"])
        try await peers[0].waitForEnd()
        #expect(await !peers[1].hasEnded)
        loop.stop()
    }

    @Test(
        arguments: [
            // A frame of 4 GB, a frame of the other form, an unknown operation, a term cut short.
            [255, 255, 255, 255], [0, 0, 0, 2, 112, 131],
            [0, 0, 0, 8, 131, 68, 0, 104, 1, 97, 99, 106],
            [0, 0, 0, 4, 131, 68, 0, 104], [0, 0, 0, 3, 131, 70, 0],
        ] as [[UInt8]])
    func `a peer that breaks the protocol is closed and reported once, others go on`(
        bytes: [UInt8]
    ) async throws {
        let (node, name, address) = try await node("a@localhost")
        let other = try await self.node("b@localhost")
        try await other.node.connect(to: name)
        let downs = Guarded<[Node.Event]>([])
        let logged = Guarded(0)
        await node.setEventHandler { event in
            if case .nodeDown = event { downs.withLock { $0.append(event) } }
        }
        await node.setLogHandler { level, _ in
            if level != .info { logged.withLock { $0 += 1 } }
        }
        let peer = RawPeer(loop: loop)
        for _ in 0..<2 {
            try await peer.connect(to: address, as: "bad@localhost", node: name)
            await peer.send(bytes)
            try await peer.waitForEnd()
        }
        #expect(logged.withLock { $0 } == 1)
        guard case .nodeDown(_, .violation) = downs.withLock({ $0[0] }) else {
            Issue.record("\(downs.withLock { $0 })")
            return
        }
        try await other.node.ping(name)
        loop.stop()
    }

    @Test func `signals are answered as a real node answers them`() async throws {
        let (_, name, address) = try await node("a@localhost")
        let peer = RawPeer(loop: loop)
        try await peer.connect(to: address, as: "p@localhost", node: name)
        var encoder = MessageEncoder(flags: .standard)
        let mine = PID(node: "p@localhost", id: 5, serial: 0, creation: 77)
        let theirs = PID(node: "a@localhost", id: 999, serial: 0, creation: 1)
        let reference = Reference(node: "p@localhost", creation: 77, words: [1, 2, 3])

        await peer.send(
            encoder.encode(.unlinkID(id: 1 << 63, from: mine, to: theirs)))
        #expect(
            try await peer.message()
                == .unlinkAcknowledgement(id: 1 << 63, from: theirs, to: mine))
        await peer.send(encoder.encode(.link(from: mine, to: theirs)))
        #expect(
            try await peer.message()
                == .exit(from: theirs, to: mine, reason: .atom("noproc"), token: nil))
        await peer.send(
            encoder.encode(.monitor(from: mine, to: .name("nobody"), reference: reference)))
        #expect(
            try await peer.message()
                == .down(
                    from: .name("nobody"), to: mine, reference: reference, reason: .atom("noproc")))
        // A call by `gen_server` with a plain tag is answered to the process, with an alias to the
        // alias.
        func ping(_ tag: Term) -> ControlMessage {
            .registeredSend(
                from: mine, to: "net_kernel",
                message: .tuple([
                    .atom("$gen_call"), .tuple([.pid(mine), tag]),
                    .tuple([.atom("is_auth"), .atom("p@localhost")]),
                ]), token: nil)
        }
        await peer.send(encoder.encode(ping(.reference(reference))))
        guard
            case .send(_, mine, .tuple([.reference(reference), .atom("yes")]), nil)? =
                try await peer.message()
        else {
            Issue.record("no answer to a plain tag")
            return
        }
        let alias = Term.list([.atom("alias")], tail: .reference(reference))
        await peer.send(encoder.encode(ping(alias)))
        guard
            case .aliasSend(_, reference, .tuple([alias, .atom("yes")]), nil)? =
                try await peer.message()
        else {
            Issue.record("no answer to an alias")
            return
        }
        loop.stop()
    }

    @Test func `a spawn request is answered by its reply, then the end`() async throws {
        let (node, name, address) = try await node("a@localhost")
        await node.expose(module: "m") { _, arguments, _ in .list(arguments) }
        let peer = RawPeer(loop: loop)
        try await peer.connect(to: address, as: "p@localhost", node: name)
        var encoder = MessageEncoder(flags: .standard)
        let mine = PID(node: "p@localhost", id: 5, serial: 0, creation: 77)
        let id = Reference(node: "p@localhost", creation: 77, words: [1, 2, 3])
        await peer.send(
            encoder.encode(
                .spawnRequest(
                    SpawnRequest(
                        id: id, from: mine, groupLeader: mine, module: "erpc",
                        function: "execute_call",
                        arguments: [.atom("result"), .atom("m"), .atom("f"), [1, 2]],
                        options: [.atom("monitor")], token: [17]))))
        guard case .spawnReply(let reply)? = try await peer.message(),
            case .started(let process) = reply.result
        else {
            Issue.record("no reply")
            return
        }
        #expect(reply.id == id && reply.to == mine && reply.isMonitored && !reply.isLinked)
        // A caller that sent a trace token would lose it otherwise.
        #expect(reply.token == [17])
        #expect(
            try await peer.message()
                == .down(
                    from: .pid(process), to: mine, reference: id,
                    reason: .tuple([.atom("result"), .atom("return"), [1, 2]])))
        loop.stop()
    }

    @Test func `a newer connection of a node takes the place of the old one`() async throws {
        let (node, name, address) = try await node("a@localhost")
        let downs = Guarded<[Node.Event]>([])
        await node.setEventHandler { event in
            if case .nodeDown = event { downs.withLock { $0.append(event) } }
        }
        let old = RawPeer(loop: loop)
        try await old.connect(to: address, as: "p@localhost", node: name)
        let new = RawPeer(loop: loop)
        try await new.connect(to: address, as: "p@localhost", node: name)
        try await old.waitForEnd()
        #expect(
            downs.withLock { $0 } == [.nodeDown(try NodeName("p@localhost"), .replaced)])
        #expect(await node.connectedNodes.count == 1)
        loop.stop()
    }

    @Test func `of simultaneous connections the one from the greater name goes on`() async throws {
        // Whoever connects here is accepted and told nothing, so that our own attempt stays under
        // way.
        for (own, isAccepted) in [("a@localhost", true), ("z@localhost", false)] {
            let server = SilentServer(loop: loop)
            let silent = try await server.listen()
            var configuration = Node.Configuration()
            configuration.connectTimeout = isAccepted ? .seconds(120) : .seconds(2)
            let (node, name, address) = try await node(own, configuration: configuration)
            let target = try NodeName(alive: "m", host: "localhost", port: silent.port)
            let attempt = Task { try await node.connect(to: target) }
            try await server.waitForName()
            let peer = RawPeer(loop: loop)
            if isAccepted {
                try await peer.connect(to: address, as: "m@localhost", node: name)
                // It serves those who wait for our own connection as well.
                try await attempt.value
                #expect(await node.connectedNodes.map(\.text) == ["m@localhost"])
            } else {
                await #expect(throws: HandshakeError.simultaneousConnect) {
                    try await peer.connect(to: address, as: "m@localhost", node: name)
                }
                await #expect(throws: CallError.self) { try await attempt.value }
            }
        }
        loop.stop()
    }

    @Test func `an attempt that the peer refuses for its own is served by that one`() async throws {
        let (node, name, address) = try await node("a@localhost")
        let server = SilentServer(loop: loop, answer: [0, 4] + Array("snok".utf8))
        let refusing = try await server.listen()
        let target = try NodeName(alive: "m", host: "localhost", port: refusing.port)
        let attempt = Task { try await node.connect(to: target) }
        try await server.waitForName()
        let peer = RawPeer(loop: loop)
        try await peer.connect(to: address, as: "m@localhost", node: name)
        try await attempt.value
        #expect(await node.connectedNodes.map(\.text) == ["m@localhost"])
        loop.stop()
    }

    @Test func `who asks for a name is given one, and the name stays`() async throws {
        let (_, name, _) = try await node("a@localhost")
        let dynamic = Node(dynamicOn: "localhost", cookie: "secret", loop: loop) { _ in [] }
        try await dynamic.ping(name)
        let given = try #require(await dynamic.name)
        #expect(given.host == "localhost")
        await dynamic.disconnect(from: name)
        try await dynamic.ping(name)
        #expect(await dynamic.name == given)
        loop.stop()
    }

    @Test func `who sends more than may wait is held up, and loses nothing`() async throws {
        var configuration = Node.Configuration()
        configuration.queuedByteCount = 256 << 10
        let sender = try await node("a@localhost", configuration: configuration)
        let receiver = try await node("b@localhost")
        let process = await receiver.node.spawnProcess()
        try await process.register("sink")
        let content = Term.binary([UInt8](repeating: 1, count: 10_000))
        let sending = Task(executorPreference: loop) {
            let process = await sender.node.spawnProcess()
            for number in 0..<400 {
                try await process.send(
                    .tuple([.integer(number), content]), to: .name("sink", receiver.name))
            }
        }
        for number in 0..<400 {
            let message = try await process.receive(timeout: .seconds(20))
            guard case .message(.tuple(let fields), _) = message else { break }
            #expect(fields.first == .integer(number))
        }
        try await sending.value
        loop.stop()
    }

    @Test func `a sender that is held up goes on when it is cancelled or the peer goes`()
        async throws
    {
        let (node, name, address) = try await node("a@localhost")
        let peer = RawPeer(loop: loop)
        try await peer.connect(to: address, as: "b@localhost", node: name)
        await peer.setReadingPaused(true)
        let content = Term.binary([UInt8](repeating: 1, count: 1 << 20))
        let process = await node.spawnProcess()
        let peerName = try NodeName("b@localhost")
        let sent = Atomic<Int>(0)
        let send: @Sendable () async throws -> Void = {
            while !Task.isCancelled, await !node.connectedNodes.isEmpty {
                try await process.send(content, to: .name("x", peerName))
                sent.add(1, ordering: .relaxed)
            }
        }
        let first = Task(executorPreference: loop) { try await send() }
        // It stands still once the kernel takes no more.
        var before = -1
        while sent.load(ordering: .relaxed) != before || before < 1 {
            before = sent.load(ordering: .relaxed)
            await loop.sleep(for: .milliseconds(50))
        }
        first.cancel()
        try await first.value
        let second = Task(executorPreference: loop) { try await send() }
        await loop.sleep(for: .milliseconds(20))
        await node.disconnect(from: peerName)
        try await second.value
        loop.stop()
    }

    @Test func `a node that never reads is closed when too much waits for it`() async throws {
        var configuration = Node.Configuration()
        configuration.queuedByteCount = 1 << 20
        let (node, _, _) = try await node("a@localhost", configuration: configuration)
        let other = try await self.node("b@localhost")
        try await node.connect(to: other.name)
        let large = Term.binary([UInt8](repeating: 0, count: 2 << 20))
        do throws(CallError) {
            _ = try await node.call(other.name, "m", "f", [large], timeout: .seconds(5))
            Issue.record("the call went out")
        } catch {
            #expect(
                error
                    == .limit(
                        "no more than 1048576 bytes may wait to be sent to \(other.name.text)"))
        }
        // The connection itself is as good as before.
        try await node.ping(other.name)
        loop.stop()
    }
}

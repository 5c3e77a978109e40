import ExternalTermFormat
import TestKit
import Testing
import Transport

@testable import ErlDist

/// What happens at the limits of a node of ours, and how it is said.
@Suite(.timeLimit(.minutes(5))) struct NodeLimitTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func node(
        _ name: String, _ configuration: Node.Configuration = Node.Configuration()
    ) async throws -> (node: Node, name: NodeName) {
        let plain = try NodeName(name)
        let node = Node(
            name: plain, cookie: "secret", loop: loop, configuration: configuration
        ) { _ in [] }
        let address = try await node.listen(on: .loopback(port: 0))
        return (node, try NodeName(alive: plain.alive, host: plain.host, port: address.port))
    }

    /// 100 MB together: more than may wait to be sent to a peer.
    private static let answer = Term.binary([UInt8](repeating: 7, count: 5_000_000))
    private static let answerCount = 20

    @Test func `a burst of large answers of functions waits until it can be sent`() async throws {
        let server = try await node("a@localhost")
        let client = try await node("b@localhost")
        await server.node.expose(module: "m") { _, _, _ in Self.answer }
        let results = await client.node.multicall(
            Array(repeating: server.name, count: Self.answerCount), "m", "f", [],
            timeout: .seconds(200))
        for result in results {
            // Comparing is slow enough to be worth avoiding.
            guard case .success(.binary(let bytes)) = result else {
                Issue.record("\(result)")
                continue
            }
            #expect(bytes.count == 5_000_000)
        }
        #expect(await server.node.connectedNodes.count == 1)
        loop.stop()
    }

    @Test func `a burst of large answers of a process waits too`() async throws {
        let server = try await node("a@localhost")
        let client = try await node("b@localhost")
        let process = await server.node.spawnProcess()
        try await process.register("server")
        let serving = Task(executorPreference: loop) {
            for await message in process.messages {
                guard case .message(let term, _) = message, let call = ServerCall(term) else {
                    continue
                }
                // As programs do that answer when they have the answer.
                Task(executorPreference: loop) { await process.reply(Self.answer, to: call) }
            }
        }
        let caller = await client.node.spawnProcess()
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<Self.answerCount {
                group.addTask {
                    let answer = try? await caller.call(
                        .name("server", server.name), .atom("go"), timeout: .seconds(200))
                    return answer != nil
                }
            }
            for await isAnswered in group { #expect(isAnswered) }
        }
        serving.cancel()
        loop.stop()
    }

    @Test func `who has killed the call that waits gets no answer, and others theirs`()
        async throws
    {
        let server = try await node("a@localhost")
        await server.node.expose(module: "m") { _, _, _ in Self.answer }
        let peer = RawPeer(loop: loop)
        let address = SocketAddress.loopback(port: server.name.port ?? 0)
        try await peer.connect(to: address, as: "b@localhost", node: server.name)
        await peer.stopReading()
        var encoder = MessageEncoder(flags: .standard)
        let mine = PID(node: "b@localhost", id: 5, serial: 0, creation: 77)
        for number in 0..<4 {
            await peer.send(
                encoder.encode(
                    .spawnRequest(
                        SpawnRequest(
                            id: Reference(
                                node: "b@localhost", creation: 77, words: [UInt32(number)]),
                            from: mine, groupLeader: mine, module: "m", function: "f",
                            arguments: [], options: [.atom("monitor")], token: nil))))
        }
        await server.node.disconnect(from: try NodeName("b@localhost"))
        let other = try await node("c@localhost")
        try await other.node.ping(server.name)
        loop.stop()
    }

    @Test func `a limit of this node is not called a mistake of the peer`() {
        let limits: [DisconnectReason] = [
            .violation(.frameTooLong(byteCount: 1)), .violation(.messageTooLong(byteCount: 1)),
            .violation(.fragmentsTooLong(byteCount: 1)),
            .violation(.tooManyFragmentSequences(maximum: 1)),
            .violation(.unfinishedFragments(sequence: 1)),
            .violation(.invalidTerm(.tooDeep(maximum: 1))),
            .violation(.invalidTerm(.tooManyTerms(maximum: 1))), .queueFull(byteCount: 1),
        ]
        for reason in limits {
            #expect("\(reason)".hasPrefix("a limit of this node: "), "\(reason)")
        }
        let violations: [ProtocolViolation] = [
            .truncatedHeader, .unknownOperation(99), .invalidTerm(.truncated),
            .unexpectedFrame(tag: 1),
        ]
        for violation in violations {
            #expect("\(DisconnectReason.violation(violation))".hasPrefix("protocol violation: "))
        }
        #expect("\(CallError.limit("no more"))" == "a limit of this node: no more")
    }

    @Test func `limits of zero are as good as the smallest`() async throws {
        var configuration = Node.Configuration()
        configuration.maximumHandshakes = 0
        configuration.maximumAcceptedConnections = 0
        configuration.tickTime = .zero
        let server = try await node("a@localhost", configuration)
        let client = try await node("b@localhost")
        try await client.node.ping(server.name)
        loop.stop()
    }

    @Test func `a node without a name says that it cannot listen`() async throws {
        let node = Node(dynamicOn: "localhost", cookie: "secret", loop: loop) { _ in [] }
        await #expect(throws: SystemError.self) { try await node.listen(on: .loopback(port: 0)) }
        loop.stop()
    }

    @Test func `who waits for an answer gets an error when the loop is stopped`() async throws {
        let nodeLoop = try EventLoop.onOwnThread()
        let server = try await node("a@localhost")
        await server.node.expose(module: "m") { [loop] _, _, _ in
            await loop.sleep(for: .seconds(50))
            return 1
        }
        let silent = SilentServer(loop: loop)
        let silentAddress = try await silent.listen()
        let node = Node(name: try NodeName("c@localhost"), cookie: "secret", loop: nodeLoop) { _ in
            []
        }
        let process = await node.spawnProcess()
        let nowhere = try NodeName(alive: "m", host: "localhost", port: silentAddress.port)
        try await node.connect(to: server.name)
        // On the node's loop, which does what was begun before it stops.
        let call = Task(executorPreference: nodeLoop) {
            try await node.call(server.name, "m", "f", [], timeout: .seconds(200))
        }
        let attempt = Task(executorPreference: nodeLoop) { try await node.connect(to: nowhere) }
        let message = Task(executorPreference: nodeLoop) { try await process.receive() }
        try await silent.waitForName()
        nodeLoop.stop()
        await #expect(throws: CallError.connectionLost(.disconnected)) { try await call.value }
        await #expect(throws: CallError.self) { try await attempt.value }
        await #expect(throws: ReceiveError.self) { try await message.value }
        loop.stop()
    }
}

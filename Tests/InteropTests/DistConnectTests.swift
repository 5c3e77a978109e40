import EPMD
import ErlDist
import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

/// How connections to and from a real node come up, are refused, and end.
extension DistTests {
    @Suite struct DistConnectTests {
        @Test func `a wrong cookie is said to be one, here and there`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller", cookie: "wrong")
            await #expect(throws: CallError.wrongCookie) { try await node.connect(to: peer.name) }
            try await peer.says([
                "Connection attempt from node caller@\(fixture.host) rejected. Invalid challenge reply."
            ])
        }

        @Test(.only(over: .tcp, "over TLS a real node looks at the certificate's names instead"))
        func `a node that is not allowed is told so`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            #expect(try await peer("net_kernel:allow(['other@\(fixture.host)'])") == "ok")
            let node = try fixture.node("caller")
            await #expect(
                throws: CallError.refused(
                    "connecting to \(peer.name): the peer does not allow this node to connect")
            ) { try await node.connect(to: peer.name) }
            try await peer.says(["Connection attempt from disallowed node caller@\(fixture.host)"])
            let other = try fixture.node("other")
            try await other.connect(to: peer.name)
        }

        @Test func `who looks for another node finds out, and we say that it went away`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let node = try fixture.node("here")
            let log = Log()
            await node.setLogHandler { _, text in log.append(text) }
            let address = try await node.listen(on: .loopback(port: 0))
            let registration = try await fixture.register(node, "other", port: address.port)
            let peer = try await fixture.peer("peer")
            #expect(try await peer("net_adm:ping('other@\(fixture.host)')") == "pang")
            try await log.says(
                "the peer ended the connection once it had been told this node's name,"
                    + " here@\(fixture.host): it may have looked for another")
            await registration.stop()
        }

        @Test func `a node with another cookie is refused and reported`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let (node, name, registration) = try await fixture.listeningNode("here")
            let logged = Guarded<[String]>([])
            await node.setLogHandler { _, text in logged.withLock { $0.append(text) } }
            let peer = try await fixture.peer("peer", cookie: "wrong")
            #expect(try await peer("net_adm:ping('\(name)')") == "pang")
            try await eventually("the refusal is logged") { logged.withLock { !$0.isEmpty } }
            #expect(logged.withLock { $0.first?.contains("cookies differ") == true })
            await registration.stop()
        }

        @Test func `a node that is not there is unreachable, with the reason`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let node = try fixture.node("caller")
            let nobody = try NodeName("nobody@\(fixture.host)")
            do throws(CallError) {
                try await node.connect(to: nobody)
                Issue.record("connected to nobody")
            } catch {
                guard case .unreachable(let text) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(text.contains("nobody"))
            }
        }

        @Test func `a name with a port needs no EPMD`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let port = try await fixture.client.lookUp(name: "peer").port
            let node = Node(
                name: try NodeName(alive: "caller", host: fixture.host), cookie: "secret",
                loop: fixture.loop, configuration: fixture.configuration()
            ) { _ in
                Issue.record("the resolver was asked")
                return []
            }
            let name = try NodeName("peer@\(fixture.host):\(port)")
            #expect(
                try await node.call(name, "erlang", "node", [], timeout: .seconds(5))
                    == .atom(peer.name.atom))
        }

        @Test func `another node on the port is not taken for the one that was asked for`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            _ = try await fixture.peer("peer")
            let port = try await fixture.client.lookUp(name: "peer").port
            let node = try fixture.node("caller")
            let name = try NodeName("other@\(fixture.host):\(port)")
            do throws(CallError) {
                try await node.connect(to: name)
                Issue.record("connected to the wrong node")
            } catch {
                guard case .refused(let text) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(text.contains("peer@\(fixture.host) is listening there"))
            }
        }

        @Test func `a ping is answered, and so is the second one`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller")
            try await node.ping(peer.name)
            try await node.ping(peer.name)
            #expect(await node.connectedNodes == [peer.name])
        }

        @Test func `a node without a name gets one and can call`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = Node(
                dynamicOn: fixture.host, cookie: "secret", loop: fixture.loop,
                configuration: fixture.configuration(), resolver: fixture.resolver)
            #expect(await node.name == nil)
            #expect(
                try await node.call(
                    peer.name, "erlang", "nodes", [.atom("hidden")], timeout: .seconds(5)
                )
                .asList?.count == 1)
            let name = try #require(await node.name)
            #expect(name.host == fixture.host)
            #expect(try await peer("nodes(hidden)") == "['\(name)']")
        }

        @Test func `a node of ours gives a name to a real node without one`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let (node, name, registration) = try await fixture.listeningNode("here")
            await node.expose(module: "m") { _, _, caller in .atom(caller.node.atom) }
            let process = try fixture.namelessPeer(
                evaluating: "io:format(\"=> ~0p~n\", [[net_kernel:connect_node('\(name)'), "
                    + "rpc:call('\(name)', m, f, []), node()]]), halt().")
            let line = try await offload { try process.line(after: "=> ", within: .seconds(20)) }
            let names = line.dropFirst().dropLast().split(separator: ",")
            #expect(names.count == 3 && names[0] == "true" && names[1] == names[2], "\(line)")
            await registration.stop()
        }

        /// - Parameter seconds: our tick time. A real node that hears nothing for its own one ends
        ///   the connection.
        @Test(arguments: [4, 60])
        func `ticks keep an idle connection up in both directions`(seconds: Int) async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer(
                "peer", arguments: ["-kernel", "net_ticktime", "4", "net_tickintensity", "4"])
            let node = try fixture.node("caller") { $0.tickTime = .seconds(seconds) }
            let downs = Guarded(0)
            await node.setEventHandler { event in
                if case .nodeDown = event { downs.withLock { $0 += 1 } }
            }
            try await node.connect(to: peer.name)
            // This is the behaviour itself: nothing happens for longer than the tick time.
            try await Task.sleep(for: .seconds(7))
            #expect(downs.withLock { $0 } == 0)
            #expect(try await peer("nodes(hidden)") == "[caller@\(fixture.host)]")
        }

        @Test func `a node that stands still is given up after the tick time`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("caller") { $0.tickTime = .seconds(1) }
            try await node.connect(to: peer.name)
            let pid = peer.process.pid
            kill(pid, SIGSTOP)
            // All its threads have stopped once this returns.
            var status: Int32 = 0
            #expect(waitpid(pid, &status, WUNTRACED) == pid)
            await #expect(throws: CallError.connectionLost(.silent(.seconds(1)))) {
                try await node.call(peer.name, "erlang", "node", [], timeout: .seconds(30))
            }
        }

        @Test func `a restarted node is connected again under its old name`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let (node, name, registration) = try await fixture.listeningNode("here")
            let peer = try await fixture.peer("peer")
            #expect(try await peer("net_adm:ping('\(name)')") == "pong")
            peer.process.kill()
            try await eventually("the node is gone") { await node.connectedNodes.isEmpty }
            try await eventually("EPMD has noticed") {
                (try? await fixture.client.names())?.contains { $0.name == "peer" } == false
            }
            let again = try await fixture.peer("peer")
            #expect(
                try await node.call(again.name, "erlang", "node", [], timeout: .seconds(5))
                    == .atom(again.name.atom))
            await registration.stop()
        }

        @Test func `both connecting at the same time end up with one connection`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("m")
            // One of the names is smaller than the peer's, the other greater. Each is used once: the
            // connection that loses is closed by us, and its end may reach the peer late. It would take
            // the peer's next wait for a node of this name with it.
            for alive in ["a", "z"] {
                for number in 1...50 {
                    let (node, name, registration) = try await fixture.listeningNode(
                        "\(alive)\(number)")
                    async let answer = peer("net_adm:ping('\(name)')")
                    let result = try await node.call(
                        peer.name, "erlang", "node", [], timeout: .seconds(5))
                    #expect(result == .atom(peer.name.atom))
                    #expect(try await answer == "pong")
                    #expect(await node.connectedNodes == [peer.name])
                    #expect(try await peer("nodes(hidden)") == "[\(name)]")
                    await registration.stop()
                    await node.close()
                    try await eventually("the peer has noticed") {
                        try await peer("nodes(hidden)") == "[]"
                    }
                }
            }
        }
    }
}

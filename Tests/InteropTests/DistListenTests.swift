import EPMD
import ErlDist
import ExternalTermFormat
import Glibc
import TestKit
import Testing
import Transport

extension DistTests {
    /// Where a node listens, and how it notices that a peer is gone.
    @Suite struct DistListenTests {
        @Test func `the first free port of a range is taken, and none is an error`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let first = try fixture.node("a")
            let second = try fixture.node("b")
            let third = try fixture.node("c")
            let port = try await first.listen(on: .loopback(port: 0)).port
            try #require(port < .max)
            let address = try await second.listen(
                on: .loopback(port: 0), ports: port...(port + 1))
            #expect(address.port == port + 1)
            await #expect(throws: SystemError.self) {
                try await third.listen(on: .loopback(port: 0), ports: port...(port + 1))
            }
        }

        /// Debian gives a host's own name the address 127.0.1.1.
        @Test func `a node that listens everywhere is reached at 127.0.1.1`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let node = fixture.node(try NodeName("swift@127.0.1.1"))
            let address = try await node.listen(on: .any(port: 0))
            let registration = try await fixture.register(node, "swift", port: address.port)
            let peer = try await fixture.peer(longName: "peer@127.0.1.1")
            #expect(try await peer("net_adm:ping('swift@127.0.1.1')") == "pong")
            withExtendedLifetime(registration) {}
        }

        @Test(.enabled(if: DistListenTests.hasIPv6))
        func `nodes meet over IPv6 in both directions`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let any = try #require(SocketAddress("::", port: 0))
            let node = fixture.node(try NodeName("swift@::1"))
            let address = try await node.listen(on: any)
            let registration = try await fixture.register(node, "swift", port: address.port)
            let peer = try await fixture.peer(longName: "peer@::1", usesIPv6: true)
            #expect(try await peer("net_adm:ping('swift@::1')") == "pong")
            await node.disconnect(from: peer.name)
            let info = try await fixture.client.lookUp(name: "peer")
            try await node.ping(NodeName(alive: "peer", host: "::1", port: info.port))
            withExtendedLifetime(registration) {}
        }

        static let hasIPv6: Bool = {
            guard let file = fopen("/proc/net/if_inet6", "r") else { return false }
            defer { fclose(file) }
            return fgetc(file) != EOF
        }()

        @Test
        func `a tick time of a second finds a stopped peer, and spares one that ticks slowly`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let node = try fixture.node("swift") { $0.tickTime = .seconds(1) }
            let process = await node.spawnProcess()
            try await node.ping(peer.name)
            // The peer itself ticks every 15 s, so that without being asked it would be silent.
            await fixture.loop.sleep(for: .seconds(3))
            #expect(await node.connectedNodes == [peer.name])
            let monitor = await process.monitor(.name("rex", peer.name))
            #expect(Glibc.kill(peer.process.pid, SIGSTOP) == 0)
            let begin = MonotonicTime.now
            #expect(
                try await process.receive(timeout: .seconds(20))
                    == .down(
                        .init(
                            monitor: monitor, process: .name("rex", peer.name),
                            reason: .atom("noconnection"))))
            #expect(MonotonicTime.now - begin < .seconds(10))
        }
    }
}

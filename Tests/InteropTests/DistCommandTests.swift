import EPMD
import ErlDist
import ExternalTermFormat
import TestKit
import Testing
import Transport

extension DistTests {
    /// What the command line says of a node that it cannot talk to: one line, and exit status 3.
    @Suite struct DistCommandTests {
        /// `deployex ping`, with the transport of the run unless there is another options file.
        private func ping(
            _ fixture: DistFixture, _ peer: String, cookie: String = "secret",
            optionsFile: String? = nil
        ) async throws -> (status: Int32, output: String) {
            let transport =
                optionsFile.map(DistFixture.arguments(optionsFile:)) ?? fixture.transportArguments
            return try await command(fixture, ["ping", peer, "--cookie", cookie] + transport)
        }

        private func command(
            _ fixture: DistFixture, _ words: [String]
        ) async throws -> (status: Int32, output: String) {
            let process = try ChildProcess.interop(
                [BuiltProgram.path("deployex")] + words, epmdPort: fixture.epmdPort, ofOTP: false)
            let result = try await offload { try process.wait() }
            return (result.status, result.output)
        }

        @Test(.only(over: .tcp, "libei has no TLS"), .enabled(if: LibeiNode.isThere))
        func `a node in C is reached with a name of one's own, and the reason is given without`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let name = try NodeName(alive: "c", host: fixture.host)
            let node = try await LibeiNode(name, fixture)
            defer { node.process.kill() }
            #expect(
                try await ping(fixture, "c") == (
                    3,
                    "deployex: \(name) refuses the connection: connecting to \(name): the peer gives"
                        + " no names: this node must have one of its own; --sname or --name gives it"
                        + " one\n"
                ))
            let cookie = ["--cookie", "secret"]
            #expect(
                try await command(fixture, ["ping", "c", "--sname", "me"] + cookie)
                    == (0, "pong\n"))
            let caller = try await offload { [process = node.process] in
                try process.line(after: "=> ")
            }
            #expect(caller == "me@\(fixture.host)")
            #expect(
                try await command(
                    fixture, ["rpc", "c", "m", "f", "[1,{a}]", "--sname", "me"] + cookie)
                    == (0, "[1,{a}]\n"))
            // The name of the node that is meant cannot be the command's own.
            #expect(
                try await command(fixture, ["ping", "c", "--sname", "c"] + cookie).status == 2)
        }

        @Test func `a real node sees the name that a command was given, and no registration`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            let (status, output) = try await command(
                fixture,
                [
                    "rpc", "peer", "erlang", "nodes", "[hidden]", "--sname", "me", "--cookie",
                    "secret",
                ]
                    + fixture.transportArguments)
            let own = Term.atom(try NodeName(alive: "me", host: fixture.host).atom)
            #expect((status, output) == (0, "[\(own)]\n"))
            #expect(try await peer("erl_epmd:names()").contains("me") == false)
        }

        @Test(.enabled(if: DistListenTests.hasIPv6), arguments: [false, true])
        func `a node is reached by an IPv6 address`(withPort: Bool) async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            _ = try await fixture.peer(longName: "peer@::1", usesIPv6: true)
            let port = try await fixture.client.lookUp(name: "peer").port
            let name = withPort ? "peer@[::1]:\(port)" : "peer@::1"
            #expect(try await ping(fixture, name) == (0, "pong\n"))
            #expect(
                try await command(
                    fixture,
                    ["rpc", name, "erlang", "'node'", "--cookie", "secret"]
                        + fixture.transportArguments) == (0, "'peer@::1'\n"))
        }

        @Test func `what cannot be an atom is an error of usage`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let long = String(repeating: "a", count: 70_000)
            for words in [["m", long], [long, "f"], ["m", "f", "[\(long)]"], ["m", "'f"]] {
                let (status, output) = try await command(
                    fixture, ["rpc", "peer", "--cookie", "secret"] + words)
                #expect(status == 2)
                #expect(output.utf8.count < 300, "\(output)")
            }
        }

        @Test func `a node that is there says pong`() async throws {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            #expect(try await ping(fixture, peer.name.text) == (0, "pong\n"))
        }

        @Test func `a wrong cookie, another node and one that does not allow it exit 3`()
            async throws
        {
            let fixture = try await DistFixture()
            defer { fixture.end() }
            let peer = try await fixture.peer("peer")
            #expect(
                try await ping(fixture, "peer", cookie: "wrong") == (
                    3,
                    "deployex: \(peer.name) refuses the connection: the cookies differ; give the right"
                        + " one with --cookie or DEPLOYEX_ERLANG_COOKIE\n"
                ))
            let port = try await fixture.client.lookUp(name: "peer").port
            let other = "other@\(fixture.host)"
            #expect(
                try await ping(fixture, "\(other):\(port)") == (
                    3,
                    "deployex: \(other):\(port) refuses the connection: connecting to \(other):\(port):"
                        + " \(peer.name) is listening there, not \(other)\n"
                ))
            guard DistTransport.current == .tcp else { return }
            // Over TLS a real node looks at the certificate's names instead.
            #expect(try await peer("net_kernel:allow(['a@b'])") == "ok")
            #expect(
                try await ping(fixture, "peer") == (
                    3,
                    "deployex: \(peer.name) refuses the connection: connecting to \(peer.name): the peer"
                        + " does not allow this node to connect\n"
                ))
        }

        @Test(
            .only(over: .tcp, "it brings TLS of both versions"),
            arguments: DistRefusalTests.flaws, [DistTransport.tls12, .tls13])
        func `a certificate that is refused exits 3 and says why`(
            flaw: DistRefusalTests.Flaw, transport: DistTransport
        ) async throws {
            let world = try await DistRefusalTests.World(flaw, transport)
            defer { world.fixture.end() }
            if flaw.concerns.contains(.connecting) {
                let peer = try await world.fixture.peer("good")
                let (status, output) = try await ping(
                    world.fixture, "good", optionsFile: world.options)
                #expect(status == 3)
                // Before it our own certificate may have been found to have expired.
                #expect(output.contains("deployex: \(peer.name) cannot be reached: "), "\(output)")
                #expect(flaw.told.contains { output.contains($0) }, "\(output)")
            }
            if flaw.concerns.contains(.accepting) {
                let peer = try await world.fixture.peer("bad", optionsFile: world.options)
                let (status, output) = try await ping(world.fixture, "bad")
                #expect(status == 3)
                #expect(output.hasPrefix("deployex: \(peer.name) cannot be reached: "), "\(output)")
                #expect(output.contains(flaw.refused), "\(output)")
            }
        }

        @Test(.only(over: .tcp, "it brings a peer with TLS and one without"))
        func `a peer without TLS, and one with it, exit 3 and say what may be wrong`() async throws
        {
            let plain = try await DistFixture()
            defer { plain.end() }
            let encrypted = try await DistFixture(over: .tls12)
            defer { encrypted.end() }
            _ = try await plain.peer("plain")
            _ = try await encrypted.peer("encrypted")
            var (status, output) = try await ping(encrypted, "encrypted", optionsFile: nil)
            #expect((status, output) == (0, "pong\n"))
            let port = try await encrypted.client.lookUp(name: "encrypted").port
            (status, output) = try await ping(plain, "encrypted@\(plain.host):\(port)")
            #expect(status == 3)
            #expect(output.contains("\(HandshakeError.peerUsesTLS)"), "\(output)")
            let plainPort = try await plain.client.lookUp(name: "plain").port
            (status, output) = try await ping(
                encrypted, "plain@\(plain.host):\(plainPort)")
            #expect(status == 3)
            #expect(output.contains("\(HandshakeError.peerLacksTLS)"), "\(output)")
        }
    }
}

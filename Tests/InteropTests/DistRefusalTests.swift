import EPMD
import ErlDist
import ExternalTermFormat
import TestKit
import Testing
import Transport

extension DistTests {
    /// Who is kept out by a certificate, and what each of the two sides says about it: the one that
    /// refuses, why; the one that is refused, what it was told. A BEAM that is refused logs nothing.
    @Suite(.only(over: .tcp, "it brings TLS of both versions, and peers without"))
    struct DistRefusalTests {
        /// One way in which a certificate is not what it should be.
        struct Flaw: Sendable, CustomTestStringConvertible {
            var testDescription: String
            /// What the certificate is called; `nil` when there is none.
            var certificate: String?
            /// A certificate's name counts when a node accepts, its absence when a node connects.
            var concerns: Set<Role> = [.connecting, .accepting]
            /// What our node says of a peer that has it.
            var refused: String
            /// One of these is what our node says when it has it.
            var told: [String]
            /// One of these is what a BEAM says of a peer that has it.
            var refusedByErlang: [String]
        }

        /// What the node with the flaw does.
        enum Role: Sendable {
            case connecting, accepting
        }

        static let flaws = [
            Flaw(
                testDescription: "another authority", certificate: "stranger",
                refused: "is not a CA that is trusted here",
                told: ["the peer refused our certificate: it does not trust the CA (unknown_ca)"],
                refusedByErlang: ["Unknown CA"]),
            Flaw(
                testDescription: "expired", certificate: "expired",
                refused: "(expired) was refused: it expired on 2001-01-01 00:00:00 UTC",
                told: ["it has expired or is not valid yet (certificate_expired)"],
                refusedByErlang: ["Certificate Expired"]),
            Flaw(
                testDescription: "not yet valid", certificate: "early",
                refused: "(early) was refused: it is valid from 2098-01-01 00:00:00 UTC only",
                told: ["it has expired or is not valid yet (certificate_expired)"],
                refusedByErlang: ["Certificate Expired"]),
            Flaw(
                testDescription: "another name", certificate: "elsewhere", concerns: [.accepting],
                refused: "(elsewhere) was refused: it is for elsewhere.example, not for ",
                // OTP 25 says the former.
                told: ["it did not accept our certificate or our name", "it is bad"],
                refusedByErlang: ["hostname_check_failed"]),
            Flaw(
                testDescription: "none", certificate: nil, concerns: [.connecting],
                refused: "the peer was refused: it sent no certificate",
                told: ["it wants a certificate, and none was sent"],
                refusedByErlang: ["no_client_certificate_provided", "certificate_required"]),
        ]

        /// Two sides over TLS: one with a certificate as it should be, and one with a flaw.
        struct World {
            let fixture: DistFixture
            /// The flawed side's.
            let options: String

            init(_ flaw: Flaw, _ transport: DistTransport) async throws {
                fixture = try await DistFixture(over: transport)
                let certificates = try #require(fixture.certificates)
                var trusted = ["ca"]
                switch flaw.certificate {
                case "stranger":
                    try certificates.makeAuthority("other")
                    try certificates.make("stranger", signedBy: "other")
                    trusted.append("other")
                case "expired":
                    try certificates.make(
                        "expired", signedBy: "ca",
                        validity: ("20000101000000Z", "20010101000000Z"))
                case "early":
                    try certificates.make(
                        "early", signedBy: "ca", validity: ("20980101000000Z", "20990101000000Z"))
                case let name?:
                    try certificates.make(name, signedBy: "ca", names: ["\(name).example"])
                case nil: break
                }
                options = try certificates.optionsFile(
                    version: try #require(transport.version), certificate: flaw.certificate,
                    trusting: trusted)
            }

            /// A node of ours, with the flaw or without, that has listened; and what it logs.
            func node(
                isFlawed: Bool
            ) async throws -> (node: Node, name: NodeName, log: Log, EPMDRegistration) {
                let tls = isFlawed ? try DistributionTLS(optionsFile: options) : nil
                let (node, name, registration) = try await fixture.listeningNode("swift") {
                    if let tls { $0.tls = tls }
                }
                let log = Log()
                await node.setLogHandler { _, text in log.append(text) }
                return (node, name, log, registration)
            }

            func peer(isFlawed: Bool) async throws -> DistPeer {
                try await fixture.peer("beam", optionsFile: isFlawed ? options : nil)
            }
        }

        @Test(arguments: DistRefusalTests.flaws, [DistTransport.tls12, .tls13])
        func `a peer's flawed certificate is refused, with the reason`(
            flaw: Flaw, transport: DistTransport
        ) async throws {
            let world = try await World(flaw, transport)
            defer { world.fixture.end() }
            let peer = try await world.peer(isFlawed: true)
            let (node, name, log, registration) = try await world.node(isFlawed: false)
            if flaw.concerns.contains(.accepting) {
                #expect(await failure(node, peer.name).contains(flaw.refused))
            }
            if flaw.concerns.contains(.connecting) {
                #expect(try await peer("net_adm:ping('\(name)')") == "pang")
                try await log.says("was refused: the connection ended during the handshake: ")
                try await log.says(flaw.refused)
            }
            #expect(await node.connectedNodes.isEmpty)
            await registration.stop()
        }

        @Test(arguments: DistRefusalTests.flaws, [DistTransport.tls12, .tls13])
        func `a node of ours with a flawed certificate is told so, and the peer logs why`(
            flaw: Flaw, transport: DistTransport
        ) async throws {
            let world = try await World(flaw, transport)
            defer { world.fixture.end() }
            let peer = try await world.peer(isFlawed: false)
            let (node, name, log, registration) = try await world.node(isFlawed: true)
            if flaw.concerns.contains(.connecting) {
                let text = await failure(node, peer.name)
                #expect(flaw.told.contains { text.contains($0) }, "\(text)")
                try await peer.says(["SERVER ALERT"])
                try await peer.says(flaw.refusedByErlang)
                peer.process.forgetLeftOut()
            }
            if flaw.concerns.contains(.accepting) {
                #expect(try await peer("net_adm:ping('\(name)')") == "pang")
                try await log.says(flaw.told)
                try await peer.says(["CLIENT ALERT"])
                try await peer.says(flaw.refusedByErlang)
            }
            #expect(await node.connectedNodes.isEmpty)
            await registration.stop()
        }

        @Test func `a peer without TLS is refused, and told apart from other strangers`()
            async throws
        {
            let plain = try await DistFixture()
            defer { plain.end() }
            let encrypted = try await DistFixture(over: .tls13)
            defer { encrypted.end() }
            let peer = try await plain.peer("beam")
            let port = try await plain.client.lookUp(name: "beam").port
            let node = try encrypted.node("swift") { $0.connectTimeout = .seconds(1) }
            let log = Log()
            await node.setLogHandler { _, text in log.append(text) }
            // The peer takes a ClientHello for the beginning of a message of 5,635 bytes, and waits.
            let name = try NodeName(alive: "beam", host: plain.host, port: port)
            // What it says to a name tells what it is.
            #expect(await failure(node, name).contains("\(HandshakeError.peerLacksTLS)"))
            let address = try await node.listen(on: .loopback(port: 0))
            let registration = try await plain.register(node, "swift", port: address.port)
            #expect(try await peer("net_adm:ping('swift@\(plain.host)')") == "pang")
            try await log.says(
                "the peer speaks the Erlang distribution without TLS: start it with -proto_dist"
                    + " inet_tls")
            await registration.stop()
        }

        @Test(arguments: [DistTransport.tls12, .tls13])
        func `a peer with TLS is refused by a node without, and each says what it may be`(
            transport: DistTransport
        ) async throws {
            let plain = try await DistFixture()
            defer { plain.end() }
            let encrypted = try await DistFixture(over: transport)
            defer { encrypted.end() }
            let peer = try await encrypted.peer("beam")
            let port = try await encrypted.client.lookUp(name: "beam").port
            let node = try plain.node("swift")
            let log = Log()
            await node.setLogHandler { _, text in log.append(text) }
            let name = try NodeName(alive: "beam", host: plain.host, port: port)
            let text = await failure(node, name)
            #expect(text.contains("\(HandshakeError.peerUsesTLS)"), "\(text)")
            try await peer.says(["SERVER ALERT"])
            peer.process.forgetLeftOut()
            let address = try await node.listen(on: .loopback(port: 0))
            let registration = try await encrypted.register(node, "swift", port: address.port)
            #expect(try await peer("net_adm:ping('swift@\(plain.host)')") == "pang")
            try await log.says("\(HandshakeError.peerUsesTLS)")
            await registration.stop()
        }

        /// Why a node cannot be connected to.
        private func failure(_ node: Node, _ peer: NodeName) async -> String {
            do throws(CallError) {
                try await node.connect(to: peer)
                return "connected"
            } catch {
                switch error {
                case .unreachable(let text), .refused(let text): return text
                default: return "another error: \(error)"
                }
            }
        }
    }
}

/// What a node of ours has logged.
final class Log: Sendable {
    private let lines = Guarded<[String]>([])

    func append(_ line: String) {
        lines.withLock { $0.append(line) }
    }

    /// Waits for a line that contains one of the texts.
    func says(_ texts: [String]) async throws {
        do {
            try await eventually("the log says one of \(texts)") {
                self.lines.withLock { lines in
                    lines.contains { line in texts.contains { line.contains($0) } }
                }
            }
        } catch {
            throw TestFailure("\(error); it says: \(lines.withLock { $0 })")
        }
    }

    func says(_ text: String) async throws {
        try await says([text])
    }
}

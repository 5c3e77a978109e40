import TestKit
import Testing
import Transport

@testable import ErlDist

/// What both sides of the transcripts have in common.
enum HandshakeFixture {
    static let cookie = "secret"
    static let flags = DistributionFlags.standard
    static let peerFlags: DistributionFlags = [.standard, .published]

    static func name(_ text: String) throws -> NodeName { try NodeName(text) }

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func bigEndian(_ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: value)
        return bytes
    }

    static func hexadecimal(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.count, by: 2).map { offset in
            let start = text.index(text.startIndex, offsetBy: offset)
            return UInt8(text[start..<text.index(start, offsetBy: 2)], radix: 16) ?? 0
        }
    }
}

@Suite struct ClientHandshakeTests {
    typealias Fixture = HandshakeFixture

    private func client(
        identity: ClientHandshake.Identity? = nil
    ) throws -> ClientHandshake {
        ClientHandshake(
            identity: try identity ?? .named(NodeName("me@here"), creation: 0x0102_0304),
            to: try NodeName("peer@there"), flags: Fixture.flags, cookie: Fixture.cookie,
            challenge: 7)
    }

    private func challenge(
        name: String = "peer@there", flags: DistributionFlags = Fixture.peerFlags
    ) -> [UInt8] {
        Fixture.bytes("N") + Fixture.bigEndian(flags.rawValue) + [0, 0, 0, 12] + [0, 0, 0, 9]
            + Fixture.bigEndian(UInt16(name.utf8.count)) + Fixture.bytes(name)
    }

    private var reply: ClientHandshake.Action {
        .send(
            Fixture.bytes("r") + [0, 0, 0, 7]
                + MD5.digest(Fixture.bytes("secret12")))
    }

    private var acknowledgement: [UInt8] {
        Fixture.bytes("a") + MD5.digest(Fixture.bytes("secret7"))
    }

    @Test func `a handshake that succeeds, byte by byte`() throws {
        var client = try client()
        // OTP 26's mandatory flags with ours: 0xD_07CB_0FBC.
        #expect(
            client.start() == [
                .send(
                    Fixture.bytes("N") + [0, 0, 0, 0x0D, 0x07, 0xCF, 0x0F, 0xBC] + [1, 2, 3, 4]
                        + [0, 7] + Fixture.bytes("me@here"))
            ])
        #expect(client.receive(Fixture.bytes("sok")) == [])
        #expect(client.receive(challenge()) == [reply])
        #expect(
            client.receive(acknowledgement) == [
                .complete(
                    PeerNode(
                        name: try NodeName("peer@there"), creation: 9,
                        peerFlags: Fixture.peerFlags, ownFlags: Fixture.flags))
            ])
    }

    @Test func `the cookie's digest is over the challenge as unsigned decimal text`() {
        #expect(
            HandshakeMessage.digest(cookie: "secret", challenge: .max)
                == MD5.digest(Fixture.bytes("secret4294967295")))
    }

    @Test func `alive is answered with true, and the handshake goes on`() throws {
        var client = try client()
        _ = client.start()
        #expect(client.receive(Fixture.bytes("salive")) == [.send(Fixture.bytes("strue"))])
        #expect(client.receive(challenge()) == [reply])
    }

    @Test(arguments: [
        ("ok", nil), ("ok_simultaneous", nil), ("nok", HandshakeError.simultaneousConnect),
        ("not_allowed", .notAllowed), ("true", .unexpectedStatus("true")),
        ("whatever", .unexpectedStatus("whatever")),
    ])
    func `each status has its meaning`(status: String, error: HandshakeError?) throws {
        var client = try client()
        _ = client.start()
        let actions = client.receive(Fixture.bytes("s" + status))
        #expect(actions == (error.map { [.fail($0)] } ?? []))
    }

    @Test func `a host that asks for a name gets name and creation`() throws {
        var client = try client(identity: .asking(host: "here"))
        guard case .send(let sent)? = client.start().first else {
            Issue.record("nothing was sent")
            return
        }
        // NAME_ME is bit 33; the creation is 0 and the name the host alone.
        #expect(sent[1...8] == [0, 0, 0, 0x0F, 0x07, 0xCF, 0x0F, 0xBC])
        #expect(sent[9...] == [0, 0, 0, 0, 0, 4] + Fixture.bytes("here")[...])
        #expect(
            client.receive(
                Fixture.bytes("snamed:") + [0, 6] + Fixture.bytes("X@here") + [0, 0, 1, 0]) == [])
        _ = client.receive(challenge())
        guard case .complete(let peer)? = client.receive(acknowledgement).first else {
            Issue.record("not complete")
            return
        }
        #expect(
            peer.assignedName
                == PeerNode.AssignedName(name: try NodeName("X@here"), creation: 256))
    }

    @Test func `a host that asks for a name and gets a plain ok gives up`() throws {
        var client = try client(identity: .asking(host: "here"))
        _ = client.start()
        #expect(client.receive(Fixture.bytes("sok")) == [.fail(.givesNoName)])
    }

    @Test func `a wrong cookie shows in the peer's digest, or in its silence`() throws {
        var client = try client()
        _ = client.start()
        _ = client.receive(Fixture.bytes("sok"))
        #expect(client.meaningOfEnd("closed") == .connectionClosed("closed"))
        _ = client.receive(challenge())
        #expect(client.meaningOfEnd("closed") == .wrongCookie)
        #expect(
            client.receive(Fixture.bytes("a") + [UInt8](repeating: 0, count: 16))
                == [.fail(.wrongCookie)])
    }

    @Test func `missing mandatory flags are named`() throws {
        var client = try client()
        _ = client.start()
        _ = client.receive(Fixture.bytes("sok"))
        let flags = Fixture.peerFlags.subtracting([.bigCreation, .utf8Atoms])
        #expect(
            client.receive(challenge(flags: flags))
                == [.fail(.missingFlags([.bigCreation, .utf8Atoms]))])
        #expect(
            HandshakeError.missingFlags([.bigCreation, .utf8Atoms]).description.contains(
                "UTF8_ATOMS, BIG_CREATION"))
    }

    @Test func `a node that is too old, or another one, is refused`() throws {
        var old = try client()
        _ = old.start()
        _ = old.receive(Fixture.bytes("sok"))
        let actions = old.receive(
            Fixture.bytes("n") + [0, 5] + [0, 0, 0x0F, 0x94] + [0, 0, 0, 1] + Fixture.bytes("p@h"))
        guard case .fail(.missingFlags(let missing))? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(missing.contains(.handshake23))

        var other = try client()
        _ = other.start()
        _ = other.receive(Fixture.bytes("sok"))
        #expect(
            other.receive(challenge(name: "other@there")) == [
                .fail(.unexpectedNode(expected: "peer@there", found: "other@there"))
            ])
    }

    @Test func `bytes after the known fields are ignored`() throws {
        var client = try client()
        _ = client.start()
        _ = client.receive(Fixture.bytes("sok"))
        #expect(client.receive(challenge() + [1, 2, 3]) == [reply])
        guard case .complete? = client.receive(acknowledgement + [9]).first else {
            Issue.record("not complete")
            return
        }
    }

    @Test func `every prefix of every message is refused or waited for, never trapped`() throws {
        for message in [Fixture.bytes("salive"), challenge(), acknowledgement] {
            for length in 0..<message.count {
                var client = try client()
                _ = client.start()
                let prefix = Array(message.prefix(length))
                if message.first != UInt8(ascii: "s") {
                    _ = client.receive(Fixture.bytes("sok"))
                }
                if message.first == UInt8(ascii: "a") { _ = client.receive(challenge()) }
                guard case .fail? = client.receive(prefix).first else {
                    Issue.record("\(prefix) was accepted")
                    return
                }
            }
        }
    }
}

@Suite struct ServerHandshakeTests {
    typealias Fixture = HandshakeFixture

    private func server() throws -> ServerHandshake {
        ServerHandshake(
            name: try NodeName("me@here"), creation: 0x0102_0304, flags: Fixture.flags,
            cookie: Fixture.cookie, challenge: 12)
    }

    private func sentName(
        _ name: String = "peer@there", flags: DistributionFlags = Fixture.peerFlags
    ) -> [UInt8] {
        Fixture.bytes("N") + Fixture.bigEndian(flags.rawValue) + [0, 0, 0, 9]
            + Fixture.bigEndian(UInt16(name.utf8.count)) + Fixture.bytes(name)
    }

    private var challenge: ServerHandshake.Action {
        .send(
            Fixture.bytes("N") + [0, 0, 0, 0x0D, 0x07, 0xCF, 0x0F, 0xBC] + [0, 0, 0, 12]
                + [1, 2, 3, 4] + [0, 7] + Fixture.bytes("me@here"))
    }

    private var reply: [UInt8] {
        Fixture.bytes("r") + [0, 0, 0, 7] + MD5.digest(Fixture.bytes("secret12"))
    }

    private func complete(_ peerFlags: DistributionFlags = Fixture.peerFlags) throws
        -> [ServerHandshake.Action]
    {
        [
            .send(Fixture.bytes("a") + MD5.digest(Fixture.bytes("secret7"))),
            .complete(
                PeerNode(
                    name: try NodeName("peer@there"), creation: 9, peerFlags: peerFlags,
                    ownFlags: Fixture.flags)),
        ]
    }

    @Test func `a handshake that succeeds, byte by byte`() throws {
        var server = try server()
        #expect(server.receive(sentName()) == [.decide(.named(try NodeName("peer@there")))])
        #expect(server.decide(.accept) == [.send(Fixture.bytes("sok")), challenge])
        #expect(server.receive(reply) == (try complete()))
    }

    @Test func `an old send_name is completed by its complement`() throws {
        var server = try server()
        let lower = Fixture.peerFlags.rawValue & 0xFFFF_FFFF
        #expect(
            server.receive(
                Fixture.bytes("n") + [0, 5] + Fixture.bigEndian(UInt32(lower))
                    + Fixture.bytes("peer@there"))
                == [.decide(.named(try NodeName("peer@there")))])
        #expect(server.decide(.accept) == [.send(Fixture.bytes("sok")), challenge])
        #expect(
            server.receive(
                Fixture.bytes("c") + Fixture.bigEndian(UInt32(Fixture.peerFlags.rawValue >> 32))
                    + [0, 0, 0, 9]) == [])
        #expect(server.receive(reply) == (try complete()))
    }

    @Test func `an older connection is replaced only when the caller says so`() throws {
        var server = try server()
        _ = server.receive(sentName())
        #expect(server.decide(.askWhetherToReplace) == [.send(Fixture.bytes("salive"))])
        var other = server
        #expect(server.receive(Fixture.bytes("strue")) == [challenge])
        #expect(server.receive(reply) == (try complete()))
        #expect(other.receive(Fixture.bytes("sfalse")) == [.fail(.alreadyConnected)])
    }

    @Test func `each refusal says its word first`() throws {
        var refused = try server()
        _ = refused.receive(sentName())
        var simultaneous = refused
        #expect(
            refused.decide(.refuse) == [.send(Fixture.bytes("snot_allowed")), .fail(.notAllowed)])
        #expect(
            simultaneous.decide(.refuseSimultaneous)
                == [.send(Fixture.bytes("snok")), .fail(.simultaneousConnect)])
    }

    @Test func `of two simultaneous connections the one from the greater name goes on`() throws {
        let small = try NodeName("a@h")
        let great = try NodeName("b@h")
        #expect(ServerHandshake.arbitrate(own: small, applicant: great) == .acceptSimultaneous)
        #expect(ServerHandshake.arbitrate(own: great, applicant: small) == .refuseSimultaneous)
        var server = try server()
        _ = server.receive(sentName())
        #expect(
            server.decide(.acceptSimultaneous)
                == [.send(Fixture.bytes("sok_simultaneous")), challenge])
    }

    @Test func `a caller that goes away once it knows our name may have looked for another`() throws
    {
        var server = try server()
        #expect(server.meaningOfEnd("closed") == .connectionClosed("closed"))
        _ = server.receive(sentName())
        #expect(server.meaningOfEnd("closed") == .connectionClosed("closed"))
        _ = server.decide(.accept)
        #expect(server.meaningOfEnd("closed") == .nameRejected("me@here"))
    }

    @Test func `a wrong digest gets no answer`() throws {
        var server = try server()
        _ = server.receive(sentName())
        _ = server.decide(.accept)
        #expect(
            server.receive(Fixture.bytes("r") + [0, 0, 0, 7] + [UInt8](repeating: 1, count: 16))
                == [.fail(.wrongCookie)])
    }

    @Test func `missing mandatory flags are refused and named`() throws {
        var server = try server()
        #expect(
            server.receive(sentName(flags: Fixture.peerFlags.subtracting(.newFunTags)))
                == [.send(Fixture.bytes("snot_allowed")), .fail(.missingFlags(.newFunTags))])
    }

    @Test func `a host that asks is given a name, with NAME_ME in the challenge`() throws {
        var server = try server()
        #expect(
            server.receive(sentName("there", flags: Fixture.peerFlags.union(.nameMe)))
                == [.decide(.asking(host: "there"))])
        #expect(
            server.decide(.assign(try NodeName("X@there"), creation: 258)) == [
                .send(
                    Fixture.bytes("snamed:") + [0, 7] + Fixture.bytes("X@there") + [0, 0, 1, 2]),
                .send(
                    Fixture.bytes("N") + [0, 0, 0, 0x0F, 0x07, 0xCF, 0x0F, 0xBC] + [0, 0, 0, 12]
                        + [1, 2, 3, 4] + [0, 7] + Fixture.bytes("me@here")),
            ])
        guard case .complete(let peer)? = server.receive(reply).last else {
            Issue.record("not complete")
            return
        }
        #expect(peer.name == (try NodeName("X@there")))
        #expect(peer.creation == 258)
    }

    @Test(arguments: ["", "nohost", "a@b@c", "@h", "a@", "a@h:80", "a b@h"])
    func `what is no node name is refused`(name: String) throws {
        var server = try server()
        #expect(server.receive(sentName(name)) == [.fail(.invalidName)])
    }

    @Test func `every prefix of a name and a reply is refused, never trapped`() throws {
        for length in 0..<sentName().count {
            var server = try server()
            guard case .fail? = server.receive(Array(sentName().prefix(length))).first else {
                Issue.record("\(length) bytes were accepted")
                return
            }
        }
        for length in 0..<reply.count {
            var server = try server()
            _ = server.receive(sentName())
            _ = server.decide(.accept)
            guard case .fail? = server.receive(Array(reply.prefix(length))).first else {
                Issue.record("\(length) bytes were accepted")
                return
            }
        }
    }

    @Test func `mutated messages never trap`() throws {
        var random = SeededRandom(seed: 1)
        let complement = Fixture.bytes("c") + [UInt8](repeating: 3, count: 8)
        for _ in 0..<20_000 {
            var server = try server()
            var inputs = [sentName(), Fixture.bytes("strue"), complement, reply]
            let target = Int(random.next() % 4)
            inputs[target] = random.mutate(inputs[target])
            let decisions: [ServerHandshake.Decision] = [
                .accept, .askWhetherToReplace, .acceptSimultaneous,
            ]
            feed: for input in inputs {
                for action in server.receive(input) {
                    switch action {
                    case .decide: _ = server.decide(decisions[Int(random.next() % 3)])
                    case .fail, .complete: break feed
                    case .send: break
                    }
                }
            }
        }
    }
}

@Suite struct HandshakePacketDecoderTests {
    @Test(arguments: [
        (HandshakePacketDecoder.LengthWidth.twoBytes, [0, 2, 7, 8, 0, 0, 0, 1, 9, 5] as [UInt8]),
        (.fourBytes, [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9, 5]),
    ])
    func `every split of the stream gives the same messages`(
        width: HandshakePacketDecoder.LengthWidth, bytes: [UInt8]
    ) throws {
        for split in 0...bytes.count {
            var decoder = HandshakePacketDecoder(width: width)
            var messages: [[UInt8]] = []
            for part in [bytes[..<split], bytes[split...]] {
                decoder.append(Array(part).span)
                while let message = try decoder.next() { messages.append(message) }
            }
            #expect(messages == [[7, 8], [], [9]])
            #expect(decoder.takeRemainder() == [5])
        }
    }

    @Test func `a length beyond the limit is refused before the bytes are there`() {
        var decoder = HandshakePacketDecoder(width: .fourBytes)
        decoder.append(([0xFF, 0xFF, 0xFF, 0xFF] as [UInt8]).span)
        #expect(throws: HandshakeError.messageTooLong(byteCount: 0xFFFF_FFFF)) {
            try decoder.next()
        }
    }

    @Test func `a message is framed with its length`() {
        #expect(HandshakePacketDecoder.framed([1, 2], width: .twoBytes) == [0, 2, 1, 2])
        #expect(HandshakePacketDecoder.framed([1], width: .fourBytes) == [0, 0, 0, 1, 1])
    }
}

extension SeededRandom {
    /// `bytes` with a few of them changed, dropped, doubled or cut off.
    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...(next() % 4) {
            guard !bytes.isEmpty else { return bytes }
            let index = Int(next() % UInt64(bytes.count))
            switch next() % 5 {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: next())
            case 1: bytes[index] ^= 1 << UInt8(next() % 8)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(bytes[index], at: index)
            default: bytes.removeSubrange(index...)
            }
        }
        return bytes
    }
}

@testable import ErlDist

/// Both sides of the handshake and its packets.
///
/// The first byte says which side, the width of lengths, who we are and how many bytes come at once, the
/// second how an applicant is decided on. A digest of sixteen zeros is replaced by the right one, which no
/// fuzzer would find.
enum HandshakeTarget {
    private static let cookie = "secret"
    private static let challenge: UInt32 = 1
    private static let digest = HandshakeMessage.digest(cookie: cookie, challenge: challenge)

    static func check(_ bytes: [UInt8]) throws {
        var input = FuzzInput(bytes)
        let options = input.byte()
        let decision = input.byte()
        var packets = HandshakePacketDecoder(width: options & 1 == 0 ? .twoBytes : .fourBytes)
        var messages: [[UInt8]] = []
        do throws(HandshakeError) {
            for piece in input.pieces(of: options >> 3) {
                packets.append(piece.span)
                while let message = try packets.next() { messages.append(withDigest(message)) }
            }
        } catch {
            try require(!error.description.isEmpty, "no description")
        }
        for message in messages { try checkMessage(message) }
        if options & 2 == 0 {
            try checkServer(messages, decision: decision)
        } else {
            try checkClient(messages, isAsking: options & 4 != 0)
        }
    }

    /// Puts the right digest in the place of sixteen zeros.
    private static func withDigest(_ message: [UInt8]) -> [UInt8] {
        let start = message.first == UInt8(ascii: "r") ? 5 : 1
        guard [UInt8(ascii: "r"), UInt8(ascii: "a")].contains(message.first),
            message.count >= start + 16,
            message[start..<(start + 16)].allSatisfy({ $0 == 0 })
        else { return message }
        var message = message
        message.replaceSubrange(start..<(start + 16), with: digest)
        return message
    }

    /// What is decoded is encoded as something that means the same.
    private static func checkMessage(_ bytes: [UInt8]) throws {
        let kinds: [HandshakeStep] = [
            .name, .status, .challenge, .complement, .reply, .acknowledgement,
        ]
        for kind in kinds {
            let message: HandshakeMessage
            do throws(HandshakeError) {
                message = try HandshakeMessage(decoding: bytes, expecting: kind)
            } catch {
                try require(!error.description.isEmpty, "no description")
                continue
            }
            let again = try HandshakeMessage(decoding: message.encoded(), expecting: kind)
            try require(again == message, "\(message) became \(again)")
        }
    }

    private static func checkServer(_ messages: [[UInt8]], decision: UInt8) throws {
        var server = ServerHandshake(
            name: try NodeName("me@host"), creation: 9, flags: .standard, cookie: cookie,
            challenge: challenge)
        var hasDigest = false
        for message in messages {
            hasDigest =
                hasDigest || (message.first == UInt8(ascii: "r") && message.contains(digest))
            var actions = server.receive(message)
            while !actions.isEmpty {
                switch actions.removeFirst() {
                case .send(let bytes):
                    _ = HandshakePacketDecoder.framed(bytes, width: .twoBytes)
                case .decide(let applicant):
                    try require(actions.isEmpty, "actions after a question")
                    actions = server.decide(try answer(applicant, decision))
                case .complete(let peer):
                    try require(hasDigest, "complete without the cookie")
                    try require(actions.isEmpty, "actions after completion")
                    try checkPeer(peer)
                    return
                case .fail(let error):
                    try require(actions.isEmpty, "actions after a failure")
                    try require(!error.description.isEmpty, "no description")
                    return
                }
            }
        }
    }

    private static func answer(
        _ applicant: ServerHandshake.Applicant, _ decision: UInt8
    ) throws -> ServerHandshake.Decision {
        switch applicant {
        case .asking(let host):
            return decision % 2 == 0
                ? .refuse : .assign(try NodeName(alive: "X", host: host), creation: 5)
        case .named(let name):
            switch decision % 4 {
            case 0: return .accept
            case 1: return .refuse
            case 2: return .askWhetherToReplace
            default:
                return ServerHandshake.arbitrate(own: try NodeName("me@host"), applicant: name)
            }
        }
    }

    private static func checkClient(_ messages: [[UInt8]], isAsking: Bool) throws {
        var client = ClientHandshake(
            identity: isAsking
                ? .asking(host: "host") : .named(try NodeName("me@host"), creation: 9),
            to: try NodeName("you@host"), flags: .standard, cookie: cookie, challenge: challenge)
        _ = client.start()
        for message in messages {
            for action in client.receive(message) {
                switch action {
                case .send(let bytes):
                    _ = HandshakePacketDecoder.framed(bytes, width: .twoBytes)
                case .complete(let peer):
                    try require(
                        message.contains(digest), "complete without the cookie")
                    try require(peer.name.text == "you@host", "\(peer.name) is someone else")
                    try require((peer.assignedName != nil) == isAsking, "a name unasked for")
                    try checkPeer(peer)
                    return
                case .fail(let error):
                    try require(!error.description.isEmpty, "no description")
                    return
                }
            }
        }
        _ = client.meaningOfEnd("the end")
    }

    private static func checkPeer(_ peer: PeerNode) throws {
        try require(peer.flags.isSuperset(of: .mandatory25), "\(peer.flags) is not enough")
        for name in [peer.name, peer.assignedName?.name].compactMap({ $0 }) {
            try require(try NodeName(name.text) == name, "\(name) is not what it says")
        }
    }
}

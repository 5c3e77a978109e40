internal import Transport

/// The messages of the handshake, without their length, and their conversion to and from bytes.
///
/// Bytes after the known fields are ignored, as the protocol demands, so that later versions can
/// add fields.
///
/// Source: "Distribution Handshake", erl_dist_protocol.
enum HandshakeMessage: Equatable {
    /// `send_name` of version 6: `'N' flags:64 creation:32 nlen:16 name`.
    case name(SentName)
    /// `send_name` of version 5: `'n' version:16 flags:32 name`; `send_complement` follows later.
    case oldName(flags: UInt32, name: String)
    case status(HandshakeStatus)
    /// `'N' flags:64 challenge:32 creation:32 nlen:16 name`.
    case challenge(Challenge)
    /// `'c' flags:32 creation:32`: the upper half of the flags and the creation, after
    /// ``oldName(flags:name:)``.
    case complement(upperFlags: UInt32, creation: UInt32)
    /// `'r' challenge:32 digest:16 bytes`.
    case reply(challenge: UInt32, digest: [UInt8])
    /// `'a' digest:16 bytes`.
    case acknowledgement(digest: [UInt8])

    struct SentName: Equatable {
        var flags: DistributionFlags
        var creation: UInt32
        /// `alive@host`, or only the host when the node asks for a name.
        var name: String
    }

    struct Challenge: Equatable {
        var flags: DistributionFlags
        var challenge: UInt32
        var creation: UInt32
        var name: String
    }

    /// Which message a side expects. Two different messages begin with `N`.
    typealias Kind = HandshakeStep

    /// The digest that proves knowledge of the cookie.
    static func digest(cookie: String, challenge: UInt32) -> [UInt8] {
        MD5.digest(Array(cookie.utf8) + Array(String(challenge).utf8))
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .name(let sent):
            bytes.append(UInt8(ascii: "N"))
            bytes.append(bigEndian: sent.flags.rawValue)
            bytes.append(bigEndian: sent.creation)
            bytes.append(bigEndian: UInt16(sent.name.utf8.count))
            bytes += Array(sent.name.utf8)
        case .oldName(let flags, let name):
            bytes.append(UInt8(ascii: "n"))
            bytes.append(bigEndian: 5 as UInt16)
            bytes.append(bigEndian: flags)
            bytes += Array(name.utf8)
        case .status(let status):
            bytes.append(UInt8(ascii: "s"))
            bytes += status.encoded()
        case .challenge(let challenge):
            bytes.append(UInt8(ascii: "N"))
            bytes.append(bigEndian: challenge.flags.rawValue)
            bytes.append(bigEndian: challenge.challenge)
            bytes.append(bigEndian: challenge.creation)
            bytes.append(bigEndian: UInt16(challenge.name.utf8.count))
            bytes += Array(challenge.name.utf8)
        case .complement(let upperFlags, let creation):
            bytes.append(UInt8(ascii: "c"))
            bytes.append(bigEndian: upperFlags)
            bytes.append(bigEndian: creation)
        case .reply(let challenge, let digest):
            bytes.append(UInt8(ascii: "r"))
            bytes.append(bigEndian: challenge)
            bytes += digest
        case .acknowledgement(let digest):
            bytes.append(UInt8(ascii: "a"))
            bytes += digest
        }
        return bytes
    }

    init(decoding bytes: [UInt8], expecting kind: Kind) throws(HandshakeError) {
        let tag = bytes.first
        switch (kind, tag) {
        case (.name, UInt8(ascii: "N")):
            self = .name(
                SentName(
                    flags: DistributionFlags(rawValue: try Self.field(bytes, 1, kind)),
                    creation: try Self.field(bytes, 9, kind),
                    name: try Self.countedName(bytes, 13, kind)))
        case (.name, UInt8(ascii: "n")):
            let flags: UInt32 = try Self.field(bytes, 3, kind)
            self = .oldName(flags: flags, name: try Self.text(bytes[7...]))
        case (.status, UInt8(ascii: "s")):
            self = .status(try HandshakeStatus(decoding: Array(bytes.dropFirst())))
        case (.challenge, UInt8(ascii: "N")):
            self = .challenge(
                Challenge(
                    flags: DistributionFlags(rawValue: try Self.field(bytes, 1, kind)),
                    challenge: try Self.field(bytes, 9, kind),
                    creation: try Self.field(bytes, 13, kind),
                    name: try Self.countedName(bytes, 17, kind)))
        case (.challenge, UInt8(ascii: "n")):
            // The name comes from a node before OTP 23: its 32 flags cannot hold what is mandatory
            // today.
            let flags: UInt32 = try Self.field(bytes, 3, kind)
            let missing = DistributionFlags.mandatory25.subtracting(
                DistributionFlags(rawValue: UInt64(flags)))
            throw .missingFlags(missing.union(.handshake23))
        case (.complement, UInt8(ascii: "c")):
            self = .complement(
                upperFlags: try Self.field(bytes, 1, kind),
                creation: try Self.field(bytes, 5, kind))
        case (.reply, UInt8(ascii: "r")):
            self = .reply(
                challenge: try Self.field(bytes, 1, kind), digest: try Self.digest(bytes, 5, kind))
        case (.acknowledgement, UInt8(ascii: "a")):
            self = .acknowledgement(digest: try Self.digest(bytes, 1, kind))
        case (_, let tag):
            throw .unexpectedMessage(tag: tag, expected: kind)
        }
    }

    private static func field<Value: FixedWidthInteger & UnsignedInteger>(
        _ bytes: [UInt8], _ offset: Int, _ kind: Kind
    ) throws(HandshakeError) -> Value {
        guard let value = bytes.bigEndian(at: offset, as: Value.self) else {
            throw .truncated(kind)
        }
        return value
    }

    private static func countedName(
        _ bytes: [UInt8], _ offset: Int, _ kind: Kind
    ) throws(HandshakeError) -> String {
        let count: UInt16 = try field(bytes, offset, kind)
        let rest = bytes[(offset + 2)...]
        guard rest.count >= Int(count) else { throw .truncated(kind) }
        return try text(rest.prefix(Int(count)))
    }

    private static func digest(
        _ bytes: [UInt8], _ offset: Int, _ kind: Kind
    ) throws(HandshakeError) -> [UInt8] {
        guard bytes.count - offset >= 16 else { throw .truncated(kind) }
        return Array(bytes[offset..<(offset + 16)])
    }

    static func text(_ bytes: ArraySlice<UInt8>) throws(HandshakeError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidName }
        return text
    }
}

/// The answer to `send_name`.
enum HandshakeStatus: Equatable, Sendable {
    case ok
    /// The acceptor is connecting to us as well, and this connection goes on.
    case okSimultaneous
    /// The acceptor is connecting to us as well, and its own connection goes on.
    case nok
    case notAllowed
    /// The acceptor believes that an older connection of ours still lives.
    case alive
    /// The answer to ``alive``: whether the new connection replaces the old one.
    case replaceOld(Bool)
    /// The name and creation for a node that asked for a name: `named:` nlen:16 name creation:32.
    case named(String, creation: UInt32)

    func encoded() -> [UInt8] {
        switch self {
        case .ok: return Array("ok".utf8)
        case .okSimultaneous: return Array("ok_simultaneous".utf8)
        case .nok: return Array("nok".utf8)
        case .notAllowed: return Array("not_allowed".utf8)
        case .alive: return Array("alive".utf8)
        case .replaceOld(let isNew): return Array((isNew ? "true" : "false").utf8)
        case .named(let name, let creation):
            var bytes = Array("named:".utf8)
            bytes.append(bigEndian: UInt16(name.utf8.count))
            bytes += Array(name.utf8)
            bytes.append(bigEndian: creation)
            return bytes
        }
    }

    init(decoding bytes: [UInt8]) throws(HandshakeError) {
        let prefix = Array("named:".utf8)
        if bytes.starts(with: prefix) {
            guard let count = bytes.bigEndian(at: 6, as: UInt16.self),
                let creation = bytes.bigEndian(at: 8 + Int(count), as: UInt32.self)
            else { throw .truncated(.status) }
            self = .named(
                try HandshakeMessage.text(bytes[8..<(8 + Int(count))]), creation: creation)
            return
        }
        // The text has no length of its own: it ends with the message.
        switch String(decoding: bytes, as: UTF8.self) {
        case "ok": self = .ok
        case "ok_simultaneous": self = .okSimultaneous
        case "nok": self = .nok
        case "not_allowed": self = .notAllowed
        case "alive": self = .alive
        case "true": self = .replaceOld(true)
        case "false": self = .replaceOld(false)
        case let text: throw .unexpectedStatus(String(text.prefix(64)))
        }
    }
}

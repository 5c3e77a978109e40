public import ExternalTermFormat

/// A node's name, `alive@host`, and optionally the port on which it is reached without EPMD.
///
/// Two names are equal when node and port are. `app@host` and `app@host:9100` are the same node,
/// reached in two ways; see ``atom``.
public struct NodeName: Hashable, Sendable, CustomStringConvertible {
    /// The part before the `@`.
    public let alive: String
    /// The part after the `@`: a short name, a full one or an address.
    public let host: String
    /// The port on which the node listens, when written `name@host:port`. EPMD is not asked then.
    public let port: UInt16?
    /// The name that nodes call each other by: `alive@host`, without the port.
    public let atom: Atom

    /// How many characters `alive@host` may have: it is an atom on every node that hears of it.
    public static let maximumLength = Atom.maximumLength

    /// The name with those parts.
    public init(alive: String, host: String, port: UInt16? = nil) throws(NodeNameError) {
        guard !alive.isEmpty else { throw .missingAlive }
        guard !host.isEmpty else { throw .missingHost }
        let unexpected =
            alive.unicodeScalars.first { !Self.isAllowedInAlive($0) }
            ?? host.unicodeScalars.first { !Self.isAllowedInHost($0) }
        if let unexpected { throw .unexpectedCharacter(Character(unexpected)) }
        let length = alive.unicodeScalars.count + host.unicodeScalars.count + 1
        guard length <= Self.maximumLength else { throw .tooLong(characterCount: length) }
        self.alive = alive
        self.host = host
        self.port = port
        self.atom = Atom(shortEnough: "\(alive)@\(host)")
    }

    /// Reads `alive@host`, `alive@host:port` or `alive@[address]:port`.
    public init(_ text: String) throws(NodeNameError) {
        guard let at = text.firstIndex(of: "@") else { throw .missingHost }
        let alive = String(text[..<at])
        let place = text[text.index(after: at)...]
        if place.first == "[" {
            guard let bracket = place.firstIndex(of: "]") else { throw .unexpectedCharacter("[") }
            let host = String(place[place.index(after: place.startIndex)..<bracket])
            let rest = place[place.index(after: bracket)...]
            let port = rest.isEmpty ? nil : try Self.port(rest)
            try self.init(alive: alive, host: host, port: port)
        } else if let colon = place.lastIndex(of: ":"), place.firstIndex(of: ":") == colon {
            try self.init(
                alive: alive, host: String(place[..<colon]), port: Self.port(place[colon...]))
        } else {
            // There is no colon, or there are several, as in a bare IPv6 address.
            try self.init(alive: alive, host: String(place))
        }
    }

    /// `alive@host`.
    public var text: String {
        "\(alive)@\(host)"
    }

    /// `alive@host`, with `:port` when there is one.
    public var description: String {
        guard let port else { return text }
        return host.contains(":") ? "\(alive)@[\(host)]:\(port)" : "\(text):\(port)"
    }

    /// Whether the host is a full name or an address. OTP calls that a long name.
    public var isLong: Bool {
        host.contains(".") || host.contains(":")
    }

    private static func port(_ text: Substring) throws(NodeNameError) -> UInt16 {
        guard text.first == ":", let port = UInt16(text.dropFirst()), port != 0,
            text.dropFirst().allSatisfy(\.isNumber)
        else { throw .invalidPort(String(text.drop { $0 == ":" })) }
        return port
    }

    /// OTP's `net_kernel` accepts letters, digits, `_` and `-`; other nodes accept dots and more
    /// too. So only characters that would make the name ambiguous are refused.
    private static func isAllowedInAlive(_ scalar: Unicode.Scalar) -> Bool {
        isVisible(scalar) && scalar != "@" && scalar != "/" && scalar != ":"
    }

    private static func isAllowedInHost(_ scalar: Unicode.Scalar) -> Bool {
        isVisible(scalar) && scalar != "@" && scalar != "/" && scalar != "[" && scalar != "]"
    }

    /// Control characters and spaces are refused: names appear in logs and on terminals.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0x20 && !(0x7F...0x9F).contains(scalar.value)
    }
}

/// Why a text is not a node's name.
public enum NodeNameError: Error, Equatable, Sendable, CustomStringConvertible {
    case missingAlive
    case missingHost
    case unexpectedCharacter(Character)
    case tooLong(characterCount: Int)
    case invalidPort(String)

    public var description: String {
        switch self {
        case .missingAlive: "nothing stands before the @ of the node name"
        case .missingHost: "the node name has no host: write name@host"
        case .unexpectedCharacter(let character):
            "\(String(reflecting: String(character))) cannot be part of a node name"
        case .tooLong(let count):
            "a node name has at most \(NodeName.maximumLength) characters, not \(count)"
        case .invalidPort(let text): "\"\(text)\" is not a port"
        }
    }
}

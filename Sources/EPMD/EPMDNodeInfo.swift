/// What EPMD knows of a node: the fields that `ALIVE2_REQ` and `PORT2_RESP` have in common.
///
/// Source: "Register a Node in EPMD" and "Get the Distribution Port of Another Node",
/// erl_dist_protocol.
public struct EPMDNodeInfo: Equatable, Hashable, Sendable {
    /// The part of the node name before the `@`. See ``EPMDName/isValid(_:)`` for its limits.
    public var name: String
    /// Where the node accepts distribution connections.
    public var port: UInt16
    /// Whether it is a hidden node.
    public var type: NodeType
    /// 0 is TCP over IPv4; nodes over IPv6 and TLS say 0 as well.
    public var protocolNumber: UInt8
    /// The newest handshake that the node supports; 6 means a 32-bit creation.
    public var highestVersion: UInt16
    /// The oldest handshake that the node supports.
    public var lowestVersion: UInt16
    /// Unused by OTP. At most ``maximumExtraByteCount`` bytes.
    public var extra: [UInt8]

    /// The same limit as in OTP's `epmd_int.h`.
    public static let maximumExtraByteCount = 1020

    /// A node as OTP 25 and later register it. It is hidden by default.
    public init(
        name: String, port: UInt16, type: NodeType = .hidden, protocolNumber: UInt8 = 0,
        highestVersion: UInt16 = 6, lowestVersion: UInt16 = 5, extra: [UInt8] = []
    ) {
        self.name = name
        self.port = port
        self.type = type
        self.protocolNumber = protocolNumber
        self.highestVersion = highestVersion
        self.lowestVersion = lowestVersion
        self.extra = extra
    }

    /// Whether the node belongs to the mesh, in which all nodes connect to each other by
    /// themselves.
    public struct NodeType: RawRepresentable, Hashable, Sendable {
        /// The byte on the wire: a letter.
        public var rawValue: UInt8
        /// The type that has this byte, known or not.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// A node that does not join the mesh, such as a C node.
        public static let hidden = NodeType(rawValue: 72)
        /// A node of the mesh. BEAMs are of this type unless they are started with `-hidden`.
        public static let normal = NodeType(rawValue: 77)
    }
}

/// A registered name and its port, as in the list of `NAMES_REQ`.
public struct EPMDName: Hashable, Sendable {
    /// The part of the node name before the `@`.
    public var name: String
    /// Where the node accepts distribution connections.
    public var port: UInt16

    /// Makes a name with its port, whether EPMD could hold it (``isValid(_:)``) or not.
    public init(name: String, port: UInt16) {
        self.name = name
        self.port = port
    }

    /// The most bytes of UTF-8 in a name.
    public static let maximumByteCount = 255

    /// Whether EPMD can hold `name`: 1 to 255 bytes of UTF-8 without control characters.
    ///
    /// OTP's daemon accepts every byte but NUL. Control characters are refused here because a line
    /// feed in a name would forge lines of the listing.
    public static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        return !bytes.isEmpty && bytes.count <= maximumByteCount
            && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// The name in `bytes`, or `nil` when EPMD cannot hold it.
    static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let name = String(validating: bytes, as: UTF8.self), isValid(name) else { return nil }
        return name
    }
}

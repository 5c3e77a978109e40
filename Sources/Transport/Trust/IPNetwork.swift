/// A network of addresses, such as `10.0.0.0/8` or `fd00::/8`.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes. The bits after the prefix are zero.
    private var octets: [UInt8]
    private var prefix: Int

    /// The network written as `text`; a single address is a network of its own. `nil` for anything
    /// else. It is `nil` also when bits after the prefix are set, which is nearly always a mistake.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = SocketAddress(String(parts[0]), port: 0) else {
            return nil
        }
        let bitCount = address.octets.count * 8
        var prefix = bitCount
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].allSatisfy(\.isASCII),
                parts[1].allSatisfy(\.isNumber), let given = Int(parts[1]), given <= bitCount
            else { return nil }
            prefix = given
        }
        octets = address.octets
        self.prefix = prefix
        guard octets == Self.masked(octets, prefix) else { return nil }
    }

    /// Every address of IPv4 and IPv6.
    public static let all = ["0.0.0.0/0", "::/0"].compactMap(IPNetwork.init)

    /// Whether the network contains the address.
    public func contains(_ address: SocketAddress) -> Bool {
        let plain = address.unmapped.octets
        return plain.count == octets.count && Self.masked(plain, prefix) == octets
    }

    public var description: String { "\(SocketAddress(octets: octets, port: 0).host)/\(prefix)" }

    private static func masked(_ octets: [UInt8], _ prefix: Int) -> [UInt8] {
        octets.enumerated().map { index, octet in
            let bits = min(max(prefix - index * 8, 0), 8)
            return octet & UInt8(truncatingIfNeeded: 0xFF00 >> bits)
        }
    }
}

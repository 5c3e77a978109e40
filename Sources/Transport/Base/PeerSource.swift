/// The source that an address belongs to when peers are counted: somebody with many addresses
/// counts as one.
///
/// Loopback is one source, whatever the address (127.0.0.0/8, ::1). An IPv6 network that a single
/// host has for itself is one source too (/64, RFC 4291, section 2.5.4). An IPv4 address in IPv6's
/// form counts as the IPv4 address.
package struct PeerSource: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: Hashable {
        case loopback
        case host([UInt8])
        case network([UInt8])
    }

    private let kind: Kind
    package let description: String

    package init(_ address: SocketAddress) {
        let octets = address.unmapped.octets
        if address.isLoopback {
            kind = .loopback
            description = "this host's loopback"
        } else if octets.count == 16 {
            kind = .network(Array(octets.prefix(8)))
            let zeros = [UInt8](repeating: 0, count: 8)
            description = "\(SocketAddress.host(of: octets.prefix(8) + zeros))/64"
        } else {
            kind = .host(octets)
            description = SocketAddress.host(of: octets)
        }
    }

    package var isLoopback: Bool { kind == .loopback }

    package static func == (left: PeerSource, right: PeerSource) -> Bool { left.kind == right.kind }

    package func hash(into hasher: inout Hasher) { hasher.combine(kind) }
}

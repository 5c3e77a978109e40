/// A socket of this host that takes connections, and whose it is.
public struct ListeningSocket: Hashable, Sendable {
    /// Where it listens; all zeros for every address.
    public var address: SocketAddress
    /// Who made it.
    public var user: UInt32
    /// What names it in `/proc/PID/fd`.
    public var inode: UInt64

    /// Those among `entries` that could take a connection to `address`.
    ///
    /// A listening socket excludes others of its address, and of all addresses beside a single one,
    /// so there is more than one only where they are of one user (`SO_REUSEPORT`) or bound to
    /// interfaces. IPv6's wildcard takes IPv4 too. But beside a socket of IPv4 it can exist only
    /// where it does not (`IPV6_V6ONLY`), which the table does not tell: a stranger's must not keep
    /// us from the other.
    ///
    /// Source: `inet_csk_get_port` and `__inet_lookup_listener` in the kernel.
    package static func taking(
        _ address: SocketAddress, among entries: [SocketTableEntry]
    ) -> Set<ListeningSocket> {
        let wanted = address.destination
        let there = entries.filter { $0.state == .listening && $0.local.port == wanted.port }
        func sockets(_ matches: (SocketAddress) -> Bool) -> Set<ListeningSocket> {
            Set(
                there.filter { matches($0.local) }.map {
                    ListeningSocket(address: $0.local, user: $0.user, inode: $0.inode)
                })
        }
        let own = sockets { local in
            // A socket of IPv6 may be bound to an address of IPv4.
            let plain = local.unmapped
            return plain.octets.count == wanted.octets.count
                && (plain.octets == wanted.octets || plain.isWildcard)
        }
        guard own.isEmpty, wanted.octets.count == 4 else { return own }
        return sockets { $0.octets.count == 16 && $0.isWildcard }
    }
}

extension SocketAddress {
    /// Whether it means every address of the host.
    package var isWildcard: Bool { octets.allSatisfy { $0 == 0 } }

    /// The same without IPv6's way to write an address of IPv4, `::ffff:127.0.0.1`.
    package var unmapped: SocketAddress {
        guard octets.count == 16, octets[..<12].elementsEqual(Self.mappedPrefix) else {
            return self
        }
        return SocketAddress(octets: Array(octets[12...]), port: port)
    }

    /// Where a connection to it goes: to loopback for the wildcard (connect(2), ip(7)).
    package var destination: SocketAddress {
        let plain = unmapped
        guard plain.isWildcard else { return plain }
        let loopback: [UInt8] =
            plain.octets.count == 4 ? [127, 0, 0, 1] : [UInt8](repeating: 0, count: 15) + [1]
        return SocketAddress(octets: loopback, port: port)
    }

    static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
}

/// A socket of this host that takes connections, and its owner.
public struct ListeningSocket: Hashable, Sendable {
    /// Where it listens; all zeros means every address.
    public var address: SocketAddress
    /// The user who made the socket.
    public var user: UInt32
    /// The number by which `/proc/PID/fd` names the socket.
    public var inode: UInt64

    /// The sockets among `entries` that could take a connection to `address`.
    ///
    /// A listening socket excludes others at its address. A socket for all addresses and one for a
    /// single address exclude each other too. So several sockets can listen only if they belong to
    /// one user (`SO_REUSEPORT`) or are bound to interfaces. IPv6's wildcard takes IPv4 connections
    /// too. But beside an IPv4 socket it can exist only if it takes none (`IPV6_V6ONLY`), which the
    /// table does not show. A stranger's wildcard of that kind must not keep us from the IPv4
    /// socket.
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
            // An IPv6 socket may be bound to an IPv4 address.
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

    /// The same address without IPv6's notation for IPv4 addresses, `::ffff:127.0.0.1`.
    package var unmapped: SocketAddress {
        guard octets.count == 16, octets[..<12].elementsEqual(Self.mappedPrefix) else {
            return self
        }
        return SocketAddress(octets: Array(octets[12...]), port: port)
    }

    /// Where a connection to this address goes. For the wildcard that is loopback (connect(2),
    /// ip(7)).
    package var destination: SocketAddress {
        let plain = unmapped
        guard plain.isWildcard else { return plain }
        let loopback: [UInt8] =
            plain.octets.count == 4 ? [127, 0, 0, 1] : [UInt8](repeating: 0, count: 15) + [1]
        return SocketAddress(octets: loopback, port: port)
    }

    static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
}

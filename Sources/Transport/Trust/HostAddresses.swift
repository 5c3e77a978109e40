internal import Glibc

/// The addresses of this host's interfaces, which tell its own peers and nodes from those of other
/// hosts.
///
/// Ports do not count, nor does the way in which an address is written.
package struct HostAddresses: Equatable, Sendable {
    private var octets: Set<[UInt8]>

    package init(_ addresses: [SocketAddress]) {
        octets = Set(addresses.map(\.unmapped.octets))
    }

    /// The present addresses; only loopback when the kernel does not say. Source: getifaddrs(3).
    package static func current() -> HostAddresses {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return HostAddresses([]) }
        defer { freeifaddrs(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = SocketAddress(entry.pointee.ifa_addr) { found.append(address) }
            next = entry.pointee.ifa_next
        }
        return HostAddresses(found)
    }

    private static let recent = Guarded(RecentHostAddresses())

    /// Whether `address` is this host's, according to information that is at most a second old. It
    /// asks the kernel at most twice a second.
    static func recentlyContained(_ address: SocketAddress) -> Bool {
        recent.withLock { $0.contains(address, now: .now, read: current) }
    }

    /// Whether a connection from or to `address` stays on this host.
    package func contains(_ address: SocketAddress) -> Bool {
        let plain = address.unmapped
        return plain.isLoopback || plain.isWildcard || octets.contains(plain.octets)
    }
}

/// From where connections are accepted at all, before a byte of them is read.
public enum AdmittedPeers: Equatable, Sendable {
    /// From everywhere.
    case everybody
    /// From this host, and from these networks.
    case thisHost(and: [IPNetwork])

    /// From these networks alone; this host need not be in one of them.
    case networks([IPNetwork])

    /// From this host alone: the peer's address is one of the host's own.
    public static let thisHost = AdmittedPeers.thisHost(and: [])

    /// Whether a connection from `peer` is accepted.
    /// - Parameter isOfThisHost: see ``isOfThisHost(_:to:host:)``.
    package func admit(_ peer: SocketAddress, isOfThisHost: Bool) -> Bool {
        switch self {
        case .everybody: true
        case .networks(let networks): networks.contains { $0.contains(peer) }
        case .thisHost(let networks): isOfThisHost || networks.contains { $0.contains(peer) }
        }
    }

    /// Whether a connection comes from this host. It may ask the kernel, which it does only some
    /// times a second. Ask once for each connection.
    /// - Parameters:
    ///   - own: the address that the connection came to.
    ///   - host: whether an address belongs to one of this host's interfaces.
    package static func isOfThisHost(
        _ peer: SocketAddress, to own: SocketAddress,
        host: (SocketAddress) -> Bool = HostAddresses.recentlyContained
    ) -> Bool {
        let (peer, own) = (peer.unmapped, own.unmapped)
        // Nearly always it is one of these two: a host connects to its own address from the same
        // address.
        if peer.isLoopback || (peer.octets == own.octets && !peer.isWildcard) { return true }
        // A connection that has ended already has no address: it counts as nobody's.
        return !peer.isWildcard && host(peer)
    }
}

/// ``HostAddresses`` that are not read for each connection.
///
/// They are at most ``age`` old. When an address is not among them they are read again, but for
/// this reason too only once in that time: an interface may just have got the address.
struct RecentHostAddresses: Equatable {
    /// How long the addresses are used.
    static let age = Duration.seconds(1)

    private var addresses = HostAddresses([])
    /// When they were last read, and when last because an address was not among them.
    private var readAt: MonotonicTime?
    private var missedAt: MonotonicTime?

    /// Whether `address` is this host's.
    /// - Parameter read: reads the addresses, in some microseconds for each interface.
    mutating func contains(
        _ address: SocketAddress, now: MonotonicTime, read: () -> HostAddresses
    ) -> Bool {
        if readAt.map({ now >= $0 + Self.age }) ?? true {
            (addresses, readAt) = (read(), now)
            return addresses.contains(address)
        }
        if addresses.contains(address) { return true }
        guard missedAt.map({ now >= $0 + Self.age }) ?? true else { return false }
        (addresses, readAt, missedAt) = (read(), now, now)
        return addresses.contains(address)
    }
}

/// ``HostAddresses`` that are not asked for at each connection.
///
/// They are as old as ``age`` at most. An address that is not among them is looked for in new ones,
/// as often as that too: an interface may just have got it.
struct RecentHostAddresses: Equatable {
    /// How long they are used.
    static let age = Duration.seconds(1)

    private var addresses = HostAddresses([])
    /// When they were read, and when last for an address that was not among them.
    private var readAt: MonotonicTime?
    private var missedAt: MonotonicTime?

    /// Whether `address` is this host's.
    /// - Parameter read: reads them, some microseconds for an interface.
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

internal import CLinux
internal import Glibc

/// Descriptors of listening TCP sockets that no event loop is to have.
package enum ListeningDescriptor {
    /// How many connections may wait to be accepted, unless `net.core.somaxconn` is lower
    /// (listen(2)).
    package static let usualBacklog = 1024

    /// Binds and listens. The descriptor is non-blocking and close-on-exec, and the socket has no other
    /// option than SO_REUSEADDR, and for IPv6 IPV6_V6ONLY.
    /// - Parameter takesIPv4: whether IPv6's wildcard also takes connections over IPv4. If not, it
    ///   can stand beside IPv4's.
    package static func open(
        _ address: SocketAddress, backlog: Int = usualBacklog, takesIPv4: Bool = true
    ) throws(SystemError) -> FileDescriptor {
        let attempt = "listening on \(address)"
        let raw = socket(
            address.family,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { throw .last(attempt) }
        let descriptor = FileDescriptor(owning: raw)
        var one: Int32 = 1
        // A restart must not wait for the old connections' TIME_WAIT (socket(7)).
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if !address.isOfIPv4 {
            // Source: ipv6(7).
            var isOnly: Int32 = takesIPv4 ? 0 : 1
            setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &isOnly, 4)
        }
        guard address.withSockAddr({ bind(raw, $0, $1) }) == 0,
            listen(raw, Int32(clamping: backlog)) == 0
        else { throw .last(attempt) }
        return descriptor
    }

    /// Where a descriptor listens over TCP; `nil` if it is none that does.
    package static func address(of raw: Int32) -> SocketAddress? {
        guard option(SO_ACCEPTCONN, of: raw) == 1,
            option(SO_PROTOCOL, of: raw) == Int32(IPPROTO_TCP)
        else { return nil }
        return SocketAddress(of: raw, getsockname)
    }

    /// Lets so many connections wait from now on. Whoever listens again on a shared socket, as a virtual
    /// machine does, sets this for all.
    package static func setBacklog(_ backlog: Int, of raw: Int32) {
        _ = listen(raw, Int32(clamping: backlog))
    }

    private static func option(_ name: Int32, of raw: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(raw, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}

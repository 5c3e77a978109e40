internal import CLinux
internal import Glibc
package import Transport

/// The connections that a session's processes have accepted, as the kernel tells: not those that still
/// wait in the queue.
package enum AcceptedConnections {
    /// More than a host has in use.
    private static let limit = 1 << 16

    /// How many there are at these ports. It blocks.
    package static func count(
        at addresses: [SocketAddress], of sockets: SessionSockets
    ) throws(SystemError) -> Int {
        var inodes: Set<UInt64> = []
        for port in Set(addresses.map(\.port)) {
            // IPv6's wildcard takes IPv4, too, whose addresses the kernel shows among IPv6's then.
            for family in [AF_INET, AF_INET6] { inodes.formUnion(try self.inodes(family, port)) }
        }
        return sockets.held(among: inodes).count
    }

    private static func inodes(_ family: Int32, _ port: UInt16) throws(SystemError) -> [UInt64] {
        var found = [clinux_socket](repeating: clinux_socket(), count: 256)
        while true {
            let count = clinux_connections(family, port, &found, Int32(found.count))
            guard count >= 0 else { throw .last("counting the connections at port \(port)") }
            if count <= found.count || found.count >= limit {
                return found.prefix(Int(count)).map { UInt64($0.inode) }.filter { $0 != 0 }
            }
            found = [clinux_socket](repeating: clinux_socket(), count: found.count * 4)
        }
    }
}

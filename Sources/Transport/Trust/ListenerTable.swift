internal import CLinux
internal import Glibc

/// The sockets of this host that listen on a port. To ask blocks for some microseconds.
enum ListenerTable {
    /// More than this on one port are somebody's who wants to hide one among them.
    private static let limit = 4096

    /// Asks the kernel, and reads its tables where it does not answer, as where a service may not open
    /// sockets of `AF_NETLINK`. They take milliseconds on a host with many connections.
    static func entries(port: UInt16) throws(SystemError) -> [SocketTableEntry] {
        do throws(SystemError) {
            return try asked(AF_INET, port) + asked(AF_INET6, port)
        } catch {
            guard error.code != EFBIG else { throw error }
            return try SocketTableFile.listening()
        }
    }

    static func asked(_ family: Int32, _ port: UInt16) throws(SystemError) -> [SocketTableEntry] {
        var found = [clinux_listener](repeating: clinux_listener(), count: limit)
        let count = clinux_listeners(family, port, &found, Int32(limit))
        guard count >= 0 else { throw .last("looking up who listens on port \(port)") }
        return found.prefix(Int(count)).map { listener in
            let octets = withUnsafeBytes(of: listener.address) { bytes in
                Array(bytes.prefix(family == AF_INET ? 4 : 16))
            }
            return SocketTableEntry(
                local: SocketAddress(octets: octets, port: port), remote: .any(port: 0),
                state: .listening, user: listener.user, inode: UInt64(listener.inode))
        }
    }
}

internal import CLinux
internal import Glibc

/// The other end of a connection on this host, as the kernel describes it.
package struct ConnectingSocket: Equatable, Sendable {
    /// The user who made the socket.
    package var user: UInt32
    /// The number by which `/proc/PID/fd` names the socket.
    package var inode: UInt64

    /// Whether this host's kernel has ever answered; some hosts lack sock_diag(7).
    private static let isAnswered = Guarded(false)

    /// Asks the kernel one question at once. That takes some microseconds, so the peer is still
    /// there. `nil` with errno set when there is no answer.
    package static func asked(peer: SocketAddress, own: SocketAddress) -> ConnectingSocket? {
        let (there, here) = (peer.unmapped, own.unmapped)
        var holder = clinux_socket()
        guard there.octets.count == here.octets.count,
            clinux_tcp_holder(
                there.family, there.octets, there.port, here.octets, here.port, &holder) == 0
        else { return nil }
        isAnswered.withLock { $0 = true }
        return ConnectingSocket(user: holder.user, inode: UInt64(holder.inode))
    }

    /// The socket at the other end of a connection; `nil` when it is not on this host, or gone. It
    /// blocks, but no longer than the kernel takes.
    /// - Parameters:
    ///   - peer: the address of the connection's other side.
    ///   - own: the address of this side.
    /// - Throws: when it cannot be found out at the moment, for lack of descriptors or memory.
    package static func find(
        peer: SocketAddress, own: SocketAddress
    ) throws(SystemError) -> ConnectingSocket? {
        guard peer.unmapped.family == own.unmapped.family else { return nil }
        if let found = asked(peer: peer, own: own) { return found }
        let error = SystemError.last("looking up who has connected")
        if isPassing(error) { throw error }
        // Reading the table takes longer. It is for hosts where the kernel never answers the
        // question.
        guard !isAnswered.withLock({ $0 }) else { return nil }
        let entry: SocketTableEntry?
        do throws(SystemError) {
            entry = try SocketTableFile.first { matches($0, peer: peer, own: own) }
        } catch {
            if isPassing(error) { throw error }
            return nil
        }
        return entry.map { ConnectingSocket(user: $0.user, inode: $0.inode) }
    }

    /// Whether an error tells nothing about the host, only about this moment.
    static func isPassing(_ error: SystemError) -> Bool {
        [EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN].contains(error.code)
    }

    /// Whether an entry is the peer's end of the connection, and a process holds it.
    package static func matches(
        _ entry: SocketTableEntry, peer: SocketAddress, own: SocketAddress
    ) -> Bool {
        entry.state == .established && entry.inode != 0
            && entry.local.port == peer.port && entry.remote.port == own.port
            && entry.local.unmapped.octets == peer.unmapped.octets
            && entry.remote.unmapped.octets == own.unmapped.octets
    }
}

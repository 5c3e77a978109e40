internal import CLinux
internal import Glibc

/// The end of a connection on this host, as the kernel tells of it.
package struct ConnectingSocket: Equatable, Sendable {
    /// Who made it.
    package var user: UInt32
    /// What names it in `/proc/PID/fd`.
    package var inode: UInt64

    /// Whether this host's kernel has answered; some are without sock_diag(7).
    private static let isAnswered = Guarded(false)

    /// What the kernel answers at once to one question, some microseconds long, so that the peer is
    /// still there; `nil` with errno set.
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
    /// blocks, for no longer than the kernel takes.
    /// - Parameters:
    ///   - peer: the connection's other side.
    ///   - own: this side.
    /// - Throws: when it cannot be found out just now, for want of descriptors or memory.
    package static func find(
        peer: SocketAddress, own: SocketAddress
    ) throws(SystemError) -> ConnectingSocket? {
        guard peer.unmapped.family == own.unmapped.family else { return nil }
        if let found = asked(peer: peer, own: own) { return found }
        let error = SystemError.last("looking up who has connected")
        if isPassing(error) { throw error }
        // The table takes longer: it is for hosts where the question never gets an answer.
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

    /// Whether an error tells nothing of the host, only of this moment.
    static func isPassing(_ error: SystemError) -> Bool {
        [EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN].contains(error.code)
    }

    /// Whether an entry is the peer's end of the connection, and held by a process.
    package static func matches(
        _ entry: SocketTableEntry, peer: SocketAddress, own: SocketAddress
    ) -> Bool {
        entry.state == .established && entry.inode != 0
            && entry.local.port == peer.port && entry.remote.port == own.port
            && entry.local.unmapped.octets == peer.unmapped.octets
            && entry.remote.unmapped.octets == own.unmapped.octets
    }
}

internal import CLinux

/// Who on this host made a connection to us, for the log and for limits. It is no proof of anything else.
package enum ConnectingUser {
    /// Whether this host's kernel has answered; some are without sock_diag(7).
    private static let isAnswered = Guarded(false)

    /// The user of the socket at the other end: "alice (uid 1000)". `nil` where ``id(peer:own:)`` is.
    /// It blocks.
    package static func text(peer: SocketAddress, own: SocketAddress) -> String? {
        id(peer: peer, own: own).map(UserDatabase.text)
    }

    /// The user id of the socket at the other end. `nil` when it is not on this host, or gone. It blocks.
    /// - Parameters:
    ///   - peer: the connection's other side.
    ///   - own: this side.
    package static func id(peer: SocketAddress, own: SocketAddress) -> UInt32? {
        guard AdmittedPeers.isOfThisHost(peer, to: own) else { return nil }
        let (there, here) = (peer.unmapped, own.unmapped)
        var user: UInt32 = 0
        // One question to the kernel, so that the peer is still there.
        if clinux_tcp_user(
            there.family, there.octets, there.port, here.octets, here.port, &user) == 0
        {
            isAnswered.withLock { $0 = true }
            return user
        }
        // The table takes longer: it is for hosts where the question never gets an answer.
        guard !isAnswered.withLock({ $0 }),
            let entry = try? SocketTableFile.first(where: { matches($0, peer: peer, own: own) })
        else { return nil }
        return entry.user
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

/// Who on this host made a connection to us, for the log. It is no proof of anything else.
package enum ConnectingUser {
    /// The user of the socket at the other end: "alice (uid 1000)". `nil` when it is not on this host, or
    /// gone. It blocks.
    /// - Parameters:
    ///   - peer: the connection's other side.
    ///   - own: this side.
    package static func text(peer: SocketAddress, own: SocketAddress) -> String? {
        guard AdmittedPeers.isOfThisHost(peer, to: own),
            let entry = try? SocketTableFile.first(where: {
                matches($0, peer: peer, own: own)
            })
        else { return nil }
        return UserDatabase.text(entry.user)
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

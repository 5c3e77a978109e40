internal import Transport

/// Finds out, for the log, which user on this host made a connection that was accepted.
///
/// A search asks the kernel once. It may also ask a server for the user's name, for a second at
/// most (`UserNames`). Only a few searches run at once; beyond that connections are not looked up.
final class PeerIdentification {
    /// What a search finds out about one connection.
    final class Finding {
        private(set) var isKnown = false
        /// What the peer calls itself. Only a successful handshake proves it.
        var name: NodeName?
        /// Why the peer is not let in, beyond what the handshake says.
        var refusal: String?
        /// The address that the peer has connected to.
        let address: SocketAddress
        private var user: String?
        private var waiters: [() -> Void] = []

        /// - Parameter isKnown: whether there is nothing to search for.
        init(isKnown: Bool, address: SocketAddress) {
            self.isKnown = isKnown
            self.address = address
        }

        fileprivate func end(_ user: String?) {
            self.user = user
            isKnown = true
            let waiters = waiters
            self.waiters = []
            for waiter in waiters { waiter() }
        }

        /// " of alice (uid 1000)"; empty when the user is not known, as for a peer on another host.
        var text: String { user.map { " of \($0)" } ?? "" }

        /// The same, followed by the name that the peer gives itself.
        var textWithName: String {
            text + (name.map { ", which calls itself \($0)," } ?? "")
        }

        /// Calls `body` once when the search has ended, usually at once.
        func whenKnown(_ body: @escaping () -> Void) {
            guard !isKnown else { return body() }
            waiters.append(body)
        }
    }

    private static let limit = 16
    private var count = 0

    /// Begins a search, which ``end(_:_:)`` ends.
    /// - Returns: the finding. Beyond the limit there is no search: the finding is known already,
    ///   and empty.
    func begin(address: SocketAddress) -> Finding {
        guard count < Self.limit else { return Finding(isKnown: true, address: address) }
        count += 1
        return Finding(isKnown: false, address: address)
    }

    /// The search has ended.
    func end(_ finding: Finding, _ user: String?) {
        count -= 1
        finding.end(user)
    }
}

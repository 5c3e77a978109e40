internal import Transport

/// Finds out who on this host made a connection that was accepted, for the log.
///
/// Each search asks the kernel once, and for a name perhaps a server, for which it waits a second at most
/// (`UserNames`). A flood of connections gets no answers beyond a few at once.
struct PeerIdentification {
    /// What is found out about one connection.
    final class Finding {
        private(set) var isKnown = false
        /// What it calls itself; it is proven only when its handshake has succeeded.
        var name: NodeName?
        /// Why it is not let in, beyond what the handshake says.
        var refusal: String?
        /// Where it has connected to.
        let address: SocketAddress
        private var user: String?
        private var waiters: [() -> Void] = []

        /// - Parameter isKnown: whether nothing is to be found out.
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

        /// " of alice (uid 1000)", or nothing for a peer of another host.
        var text: String { user.map { " of \($0)" } ?? "" }

        /// The same, with the name that it gives itself.
        var textWithName: String {
            text + (name.map { ", which calls itself \($0)," } ?? "")
        }

        /// Calls `body` once when it is known, which is now as good as always.
        func whenKnown(_ body: @escaping () -> Void) {
            guard !isKnown else { return body() }
            waiters.append(body)
        }
    }

    private static let limit = 16
    private var count = 0

    /// - Returns: what the search is for, until ``end(_:_:)``; beyond the limit what is known already,
    ///   nothing, and there is no search.
    mutating func begin(address: SocketAddress) -> Finding {
        guard count < Self.limit else { return Finding(isKnown: true, address: address) }
        count += 1
        return Finding(isKnown: false, address: address)
    }

    /// The search has ended.
    mutating func end(_ finding: Finding, _ user: String?) {
        count -= 1
        finding.end(user)
    }
}

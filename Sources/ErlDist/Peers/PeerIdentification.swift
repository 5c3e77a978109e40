internal import Transport

/// Finds out who on this host made a connection that was accepted, for the log.
///
/// A search asks the kernel once, and perhaps a server for the user's name, for a second at most
/// (`UserNames`). Only a few searches run at once; more connections are not looked up.
final class PeerIdentification {
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

        /// Calls `body` once when it is known, mostly at once.
        func whenKnown(_ body: @escaping () -> Void) {
            guard !isKnown else { return body() }
            waiters.append(body)
        }
    }

    private static let limit = 16
    private var count = 0

    /// - Returns: what the search is for, until ``end(_:_:)``. Beyond the limit it is known
    ///   already, as nothing, and there is no search.
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

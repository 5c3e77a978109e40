/// Which listeners on this host are believed: whoever connects to a port must know whose it is
/// before it says a secret there, or takes what it hears for true.
///
/// Ports above 1023 are anybody's: a stranger takes the one that was free for a moment. So the
/// owners of all *listening* sockets that could take the connection are looked up. They must be
/// ``users``, and the same sockets before and after connecting: else a stranger could have taken
/// the connection and made room for an honest listener at once. Who accepts is not asked: a
/// listening socket may have been handed over, as systemd does, and what nobody has accepted yet
/// shows no user.
///
/// A listener on another host is believed: the network has to be trusted, or TLS used.
public struct ListenerTrust: Sendable {
    /// Whose sockets are believed.
    public var users: TrustedUsers
    /// What else must be true of the sockets: returns why they are not believed, `nil` when they
    /// are. It may block.
    public var check: (@Sendable (Set<ListeningSocket>) -> String?)?
    /// What to do about a stranger's listener, as words after a colon.
    public var remedy: String

    /// Believes listeners of `users`: by default of root and of the own user.
    public init(
        users: TrustedUsers = TrustedUsers(), remedy: String = "stop it, or trust its user",
        check: (@Sendable (Set<ListeningSocket>) -> String?)? = nil
    ) {
        self.users = users
        self.remedy = remedy
        self.check = check
    }

    /// Who could take a connection to `address`; `nil` when it is not this host's.
    /// - Throws: ``ListenerRefusal`` when it is a stranger.
    func listeners(at address: SocketAddress) async throws -> Set<ListeningSocket>? {
        let (users, remedy) = (users, remedy)
        return try await offload { () throws -> Set<ListeningSocket>? in
            guard HostAddresses.current().contains(address) else { return nil }
            let table: ListenerTable
            do throws(SystemError) {
                table = try ListenerTable.taking(connectionsTo: address)
            } catch {
                throw ListenerRefusal(address: address, reason: .unreadable(error))
            }
            let found = ListeningSocket.taking(address, among: table.entries)
            if let reason = Self.refusal(
                of: found, isWhole: table.isWhole, users, remedy: remedy,
                name: { UserNames.ofHost.text($0) })
            {
                throw ListenerRefusal(address: address, reason: reason)
            }
            return found
        }
    }

    /// Checks that the same sockets listened before and after connecting, and are the right ones.
    func verify(
        _ before: Set<ListeningSocket>, _ after: Set<ListeningSocket>, at address: SocketAddress
    ) async throws {
        guard Self.isSame(before, after) else {
            throw ListenerRefusal(address: address, reason: .changed)
        }
        guard let check, let text = await offload({ check(after) }) else { return }
        throw ListenerRefusal(address: address, reason: .notItsOwn(text))
    }

    /// Whether it was one of these sockets that has taken a connection in between: they were there
    /// all the time, since a number is not given out again as long as its socket is there.
    package static func isSame(
        _ before: Set<ListeningSocket>, _ after: Set<ListeningSocket>
    ) -> Bool {
        !before.isEmpty && before == after
    }

    /// Why sockets are not believed, as far as their users and their number tell.
    /// - Parameter isWhole: whether they are all that there are.
    static func refusal(
        of sockets: Set<ListeningSocket>, isWhole: Bool, _ users: TrustedUsers, remedy: String,
        name: (UInt32) -> String
    ) -> ListenerRefusal.Reason? {
        if let user = stranger(among: sockets, users) {
            return .stranger(name(user), remedy: remedy)
        }
        return isWhole ? nil : .tooMany(sockets.count)
    }

    /// A user of one of the sockets who is not trusted.
    package static func stranger(
        among sockets: Set<ListeningSocket>, _ users: TrustedUsers
    ) -> UInt32? {
        sockets.map(\.user).filter { !users.contains($0) }.min()
    }
}

/// Why what listens somewhere on this host is not believed.
public struct ListenerRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was found.
    public enum Reason: Equatable, Sendable {
        /// It belongs to somebody else: "mallory (uid 1001)".
        case stranger(String, remedy: String)
        /// Nobody listened, or somebody else, a moment before or after.
        case changed
        /// More than so many sockets of users that are believed listen there, so that it cannot be
        /// said of all.
        case tooMany(Int)
        /// It is not what it should be, beside its user.
        case notItsOwn(String)
        /// The kernel does not say who listens.
        case unreadable(SystemError)
    }

    public var address: SocketAddress
    public var reason: Reason

    public init(address: SocketAddress, reason: Reason) {
        self.address = address
        self.reason = reason
    }

    public var description: String { text("what listens") }

    /// The reason in words. - Parameter subject: what should be listening, such as "EPMD".
    public func text(_ subject: String) -> String {
        switch reason {
        case .stranger(let user, let remedy):
            "\(subject) at \(address) belongs to \(user): \(remedy)"
        case .changed:
            "\(subject) at \(address) was another one, or none, a moment before or after connecting"
        case .tooMany(let count):
            "\(subject) at \(address) are more than \(count) sockets, which is too many to look at"
        case .notItsOwn(let text): "\(subject) at \(address) \(text)"
        case .unreadable(let error):
            "whose \(subject) at \(address) is cannot be found out: \(error)"
        }
    }
}

/// Decides which listeners on this host are believed. Whoever connects to a port must know who owns
/// it before it tells a secret there, or believes what it hears.
///
/// Ports above 1023 are open to all: a stranger can take one that was free for a moment. So the
/// owners of all *listening* sockets that could take the connection are looked up. They must be
/// ``users``, and the sockets must be the same before and after connecting. Otherwise a stranger
/// could take the connection and at once make room for an honest listener. The user who accepts is
/// not checked: a listening socket may have been handed over, as systemd does, and a connection
/// that nobody has accepted yet shows no user.
///
/// A listener on another host is believed: either the network must be trusted, or TLS must be used.
public struct ListenerTrust: Sendable {
    /// The users whose sockets are believed.
    public var users: TrustedUsers
    /// A further check of the sockets. It returns why they are not believed, or `nil` when they
    /// are: ``ListenerRefusal/Reason/notItsOwn(_:)``, or ``ListenerRefusal/Reason/changed`` if one
    /// is just being closed. It may block.
    public var check: (@Sendable (Set<ListeningSocket>) -> ListenerRefusal.Reason?)?
    /// What to do about a stranger's listener, as words after a colon.
    public var remedy: String

    /// Believes listeners of `users`: by default root's and those of this process's user.
    public init(
        users: TrustedUsers = TrustedUsers(), remedy: String = "stop it, or trust its user",
        check: (@Sendable (Set<ListeningSocket>) -> ListenerRefusal.Reason?)? = nil
    ) {
        self.users = users
        self.remedy = remedy
        self.check = check
    }

    /// The sockets that could take a connection to `address`; `nil` when it is not this host's.
    /// - Throws: ``ListenerRefusal`` when they are not believed.
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

    /// Checks that the same sockets listened before and after connecting, and that ``check``
    /// accepts them.
    func verify(
        _ before: Set<ListeningSocket>, _ after: Set<ListeningSocket>, at address: SocketAddress
    ) async throws {
        guard Self.isSame(before, after) else {
            throw ListenerRefusal(address: address, reason: .changed)
        }
        guard let check, let reason = await offload({ check(after) }) else { return }
        throw ListenerRefusal(address: address, reason: reason)
    }

    /// Whether one of these sockets must have taken a connection that was made in between. They
    /// were there all the time, because a socket's number is not used again while the socket
    /// exists.
    package static func isSame(
        _ before: Set<ListeningSocket>, _ after: Set<ListeningSocket>
    ) -> Bool {
        !before.isEmpty && before == after
    }

    /// Why sockets are not believed, judging by their users and how many there are.
    /// - Parameter isWhole: whether `sockets` contains all of them.
    static func refusal(
        of sockets: Set<ListeningSocket>, isWhole: Bool, _ users: TrustedUsers, remedy: String,
        name: (UInt32) -> String
    ) -> ListenerRefusal.Reason? {
        if let user = stranger(among: sockets, users) {
            return .stranger(name(user), remedy: remedy)
        }
        return isWhole ? nil : .tooMany(sockets.count)
    }

    /// A user who is not trusted and owns one of the sockets.
    package static func stranger(
        among sockets: Set<ListeningSocket>, _ users: TrustedUsers
    ) -> UInt32? {
        sockets.map(\.user).filter { !users.contains($0) }.min()
    }
}

/// Why a listener on this host is not believed.
public struct ListenerRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was found.
    public enum Reason: Equatable, Sendable {
        /// The socket belongs to somebody else: "mallory (uid 1001)".
        case stranger(String, remedy: String)
        /// Nobody listened a moment before or after, or another socket did.
        case changed
        /// This many sockets listen there, all of them owned by users that are believed. There are
        /// more, whose owners are not known.
        case tooMany(Int)
        /// The user is right, but something else about the listener is wrong.
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

    /// The reason in words. - Parameter subject: what was expected to listen, such as "EPMD".
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

package import Transport

/// Who is logged in. It keeps digests of the secrets, reads no clock, and is bounded.
///
/// A session has two secrets. The cookie alone is worth nothing: a browser also sends it to the
/// other programs of this host, whatever their ports. The token alone is worth nothing either.
package struct Sessions: Sendable {
    package struct Limits: Equatable, Sendable {
        /// Sessions at a time. A viewer's that has rested longest makes
        /// room, or else an administrator's. Default: 64.
        package var count = 64
        /// From the last request to the end. Default: 8 hours.
        package var idleTime: Duration = .seconds(8 * 3600)
        /// From the login to the end. Default: 7 days.
        package var wholeTime: Duration = .seconds(7 * 86_400)

        package init() {}
    }

    /// How somebody has logged in.
    package enum Method: String, Equatable, Sendable {
        case password, link
    }

    package struct Session: Equatable, Sendable {
        package let id: SessionID
        package let role: Visitor.Role
        package let method: Method
        fileprivate let cookie: [UInt8]
        fileprivate let token: [UInt8]
        fileprivate let begin: MonotonicTime
        fileprivate var lastUse: MonotonicTime
    }

    /// A session that has just begun, and its secrets, which nobody keeps.
    package struct Begun: Equatable, Sendable {
        package var session: Session
        package var cookie: String
        package var token: String
    }

    private let limits: Limits
    private let secret: @Sendable () -> String
    private var sessions: [SessionID: Session] = [:]
    private var lastNumber = 0

    /// - Parameter secret: makes 128 random bits.
    package init(
        limits: Limits = Limits(),
        secret: @escaping @Sendable () -> String = { RandomToken.hexadecimal() }
    ) {
        self.limits = limits
        self.secret = secret
    }

    package var isEmpty: Bool { sessions.isEmpty }

    /// In the order of their beginnings.
    var all: [Session] { sessions.values.sorted { $0.id.number < $1.id.number } }

    /// - Returns: the new session, and the one that had to make room for it.
    package mutating func begin(
        _ role: Visitor.Role, by method: Method, at now: MonotonicTime
    ) -> (begun: Begun, removed: Session?) {
        var removed: Session?
        // Viewers do not throw administrators out.
        let viewers = sessions.values.filter { $0.role == .viewer }
        if sessions.count >= limits.count,
            let oldest = (viewers.isEmpty ? Array(sessions.values) : viewers)
                .min(by: { $0.lastUse < $1.lastUse })
        {
            removed = sessions.removeValue(forKey: oldest.id)
        }
        lastNumber += 1
        let (cookie, token) = (secret(), secret())
        let session = Session(
            id: SessionID(number: lastNumber), role: role, method: method,
            cookie: Self.digest(cookie), token: Self.digest(token), begin: now, lastUse: now)
        sessions[session.id] = session
        return (Begun(session: session, cookie: cookie, token: token), removed)
    }

    /// The session of one of the cookies with this token, which is in use again.
    package mutating func find(
        cookies: [String], token: String, at now: MonotonicTime
    ) -> Session? {
        let token = Self.digest(token)
        guard let session = find(cookies: cookies),
            SecretComparison.areEqual(session.token, token), !hasExpired(session, at: now)
        else { return nil }
        sessions[session.id]?.lastUse = now
        return session
    }

    /// The session of one of the cookies, whatever the token: to be ended, not to be used.
    package func find(cookies: [String]) -> Session? {
        let digests = cookies.map(Self.digest)
        // The digest of a secret of 128 bits tells nothing by the time that comparing takes.
        return sessions.values.first { digests.contains($0.cookie) }
    }

    package func session(_ id: SessionID) -> Session? { sessions[id] }

    package mutating func end(_ id: SessionID) -> Session? { sessions.removeValue(forKey: id) }

    /// Removes the sessions whose time is over.
    /// - Parameter inUse: those that have something open, which are not idle.
    package mutating func expire(
        inUse: Set<SessionID> = [], at now: MonotonicTime
    ) -> [Session] {
        for id in inUse { sessions[id]?.lastUse = now }
        let expired = sessions.values.filter { hasExpired($0, at: now) }
        for session in expired { sessions[session.id] = nil }
        return expired.sorted { $0.id.number < $1.id.number }
    }

    private func hasExpired(_ session: Session, at now: MonotonicTime) -> Bool {
        now - session.lastUse >= limits.idleTime || now - session.begin >= limits.wholeTime
    }

    private static func digest(_ secret: String) -> [UInt8] { Digest.sha256(Array(secret.utf8)) }
}

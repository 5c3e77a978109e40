package import Transport

/// Links that log an administrator in: each once, and for ten minutes. It keeps their digests only,
/// and reads no clock.
package struct LoginLinks: Sendable {
    private struct Link {
        var digest: [UInt8]
        var end: MonotonicTime
    }

    /// How long a link is valid.
    package static let time: Duration = .seconds(600)
    /// Links at a time; the oldest makes room.
    private static let limit = 16

    private var links: [Link] = []

    package init() {}

    /// - Returns: the secret of a new link: 128 random bits.
    package mutating func make(at now: MonotonicTime) -> String {
        let secret = RandomToken.hexadecimal()
        links.removeAll { $0.end <= now }
        if links.count >= Self.limit { links.removeFirst() }
        links.append(Link(digest: Self.digest(secret), end: now + Self.time))
        return secret
    }

    /// Whether this is the secret of a link that nobody has used. From now on it is used.
    package mutating func use(_ secret: String, at now: MonotonicTime) -> Bool {
        links.removeAll { $0.end <= now }
        let digest = Self.digest(secret)
        var found: Int?
        for (index, link) in links.enumerated()
        where SecretComparison.areEqual(digest, link.digest) {
            found = index
        }
        guard let found else { return false }
        links.remove(at: found)
        return true
    }

    private static func digest(_ secret: String) -> [UInt8] { Digest.sha256(Array(secret.utf8)) }
}

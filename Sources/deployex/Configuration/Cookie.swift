internal import Glibc
internal import Transport

/// The secret that connected nodes share.
enum Cookie {
    /// The name of the file that every Erlang node reads in its user's home.
    private static let homeFile = "/.erlang.cookie"

    /// Finds the cookie. It looks, in this order, at the command line (`--cookie`, `-setcookie`),
    /// at `DEPLOYEX_ERLANG_COOKIE`, at `file`, `DEPLOYEX_COOKIE_FILE` or
    /// `DEPLOYEX_ERLANG_COOKIE_FILE`, at what the last
    /// `deployex start` has left, and at the user's `~/.erlang.cookie`.
    ///
    /// What the last start has left comes before `~/.erlang.cookie`, since the instances that run
    /// have it.
    /// - Parameters:
    ///   - owners: who may own the file.
    ///   - recorded: what the last start has left.
    /// - Returns: `nil` when there is no cookie.
    /// - Throws: ``UsageError`` when a file is not what it should be.
    static func lookFor(
        _ options: DistributionOptions, environment: [String: String], file: String? = nil,
        owners: TrustedUsers = TrustedUsers(), recorded: String?
    ) throws(UsageError) -> String? {
        if let cookie = options.cookie, !cookie.isEmpty { return cookie }
        if let cookie = environment["DEPLOYEX_ERLANG_COOKIE"], !cookie.isEmpty { return cookie }
        let files = [
            file, environment["DEPLOYEX_COOKIE_FILE"], environment["DEPLOYEX_ERLANG_COOKIE_FILE"],
        ]
        if let file = files.compactMap({ $0 }).first(where: { !$0.isEmpty }) {
            return try read(file, owners)
        }
        if let recorded { return recorded }
        return try ofHome(environment, owners)
    }

    /// What to tell a user who has no cookie.
    static let missing = UsageError(
        "no cookie: no deployex has left one for this user, and there is no ~\(homeFile); name a file "
            + "with it in DEPLOYEX_COOKIE_FILE")

    /// The cookie in the user's `~/.erlang.cookie`; `nil` when there is no such file.
    static func ofHome(
        _ environment: [String: String], _ owners: TrustedUsers = TrustedUsers()
    ) throws(UsageError) -> String? {
        guard let home = environment["HOME"], !home.isEmpty else { return nil }
        return try read(home + homeFile, owners, isNeeded: false)
    }

    /// A new cookie that nobody can guess: 256 random bits.
    static func random() -> String {
        // Source: getrandom(2), which Swift's generator calls.
        var generator = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Reads the first word of a file.
    private static func read(
        _ path: String, _ owners: TrustedUsers, isNeeded: Bool = true
    ) throws(UsageError) -> String? {
        let bytes: [UInt8]
        do throws(TrustedFile.Failure) {
            bytes = try TrustedFile.read(path, as: .secret, owners: owners, limit: 4096)
        } catch {
            if !isNeeded, case .refused(let refusal) = error, refusal.isNotFound { return nil }
            throw UsageError("no cookie (\(error))", nil)
        }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard let cookie = words.first else { throw UsageError("\(path) is empty", nil) }
        return String(cookie)
    }
}

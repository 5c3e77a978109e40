internal import Glibc
internal import Transport

/// The secret that connected nodes share.
enum Cookie {
    /// Finds the cookie. It looks, in this order, at the command line (`--cookie`, `-setcookie`),
    /// at `DEPLOYEX_ERLANG_COOKIE`, at `file` or `DEPLOYEX_COOKIE_FILE`, and at the user's
    /// `~/.erlang.cookie`, which every Erlang node on this host reads.
    /// - Parameter owners: who may own the file.
    /// - Throws: ``UsageError`` when there is no cookie, or when the file is not what it should be.
    static func find(
        _ options: DistributionOptions, environment: [String: String], file: String? = nil,
        owners: TrustedUsers = TrustedUsers()
    ) throws(UsageError) -> String {
        if let cookie = options.cookie, !cookie.isEmpty { return cookie }
        if let cookie = environment["DEPLOYEX_ERLANG_COOKIE"], !cookie.isEmpty { return cookie }
        if let file = file ?? environment["DEPLOYEX_COOKIE_FILE"], !file.isEmpty {
            return try read(file, owners)
        }
        guard let home = environment["HOME"], !home.isEmpty else {
            throw UsageError("no cookie: set DEPLOYEX_ERLANG_COOKIE, or give --cookie", nil)
        }
        return try read(home + "/.erlang.cookie", owners)
    }

    /// Reads the first word of a file.
    private static func read(
        _ path: String, _ owners: TrustedUsers
    ) throws(UsageError) -> String {
        let bytes: [UInt8]
        do throws(TrustedFile.Failure) {
            bytes = try TrustedFile.read(path, as: .secret, owners: owners, limit: 4096)
        } catch {
            throw UsageError(
                "no cookie (\(error)): set DEPLOYEX_ERLANG_COOKIE, or give --cookie", nil)
        }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard let cookie = words.first else {
            throw UsageError("\(path) is empty: set DEPLOYEX_ERLANG_COOKIE instead", nil)
        }
        return String(cookie)
    }
}

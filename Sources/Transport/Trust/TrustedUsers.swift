internal import Glibc

/// The users of this host whose files and sockets are believed: root, the user that this process
/// runs as, and users that the operator has named.
///
/// Everybody else on the host is a stranger.
public struct TrustedUsers: Equatable, Sendable {
    /// User ids beside root and this process's own.
    public var others: Set<UInt32>

    /// Root and this process's own user, and `others`.
    public init(others: Set<UInt32> = []) {
        self.others = others
    }

    /// The name of the variable that contains `others`.
    package static let setting = "DEPLOYEX_TRUSTED_USERS"

    /// The user that this process acts as.
    public static var own: UInt32 { geteuid() }

    /// All trusted users.
    var all: Set<UInt32> { others.union([0, Self.own]) }

    /// Whether what belongs to `user` is believed.
    public func contains(_ user: UInt32) -> Bool {
        user == 0 || user == Self.own || others.contains(user)
    }

    /// These users and one more.
    public func adding(_ user: UInt32) -> TrustedUsers {
        TrustedUsers(others: others.union([user]))
    }
}

/// The host's user and group database. It blocks: some hosts ask a server.
package enum UserDatabase {
    /// A user, as far as starting a process needs it.
    package struct User: Equatable, Sendable {
        package var name: String
        package var id: UInt32
        /// The primary group.
        package var group: UInt32
        package var home: String
    }

    /// The user with a name or, if the text is digits, with that number; `nil` when there is none.
    /// Source: getpwnam_r(3).
    package static func user(named text: String) -> User? {
        guard !text.isEmpty, !text.utf8.contains(0) else { return nil }
        let found = entry { entry, buffer, count, result in
            getpwnam_r(text, entry, buffer, count, result)
        }
        if let found { return found }
        guard let id = UInt32(text) else { return nil }
        return user(id: id)
    }

    /// The user with a number. Source: getpwuid_r(3).
    package static func user(id: UInt32) -> User? {
        entry { entry, buffer, count, result in getpwuid_r(id, entry, buffer, count, result) }
    }

    /// "alice (uid 1000)", or "uid 1000" for a user without a name.
    package static func text(_ id: UInt32) -> String {
        user(id: id).map { "\($0.name) (uid \(id))" } ?? "uid \(id)"
    }

    private typealias Question = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func entry(_ ask: Question) -> User? {
        found { buffer -> (Int32, User?) in
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            guard let base = buffer.baseAddress else { preconditionFailure("Never empty") }
            let code = ask(&entry, base, buffer.count, &result)
            guard code == 0, result != nil else { return (code, nil) }
            let user = User(
                name: String(cString: entry.pw_name), id: entry.pw_uid, group: entry.pw_gid,
                home: String(cString: entry.pw_dir))
            return (0, user)
        }
    }

    /// What `ask` finds in a database, with a buffer for its texts. While it answers `ERANGE` it is
    /// asked again with a larger buffer.
    static func found<Entry>(
        _ ask: (UnsafeMutableBufferPointer<CChar>) -> (code: Int32, entry: Entry?)
    ) -> Entry? {
        var count = 1 << 10
        // No real entry has a megabyte.
        while count <= 1 << 20 {
            var buffer = [CChar](repeating: 0, count: count)
            let answer = buffer.withUnsafeMutableBufferPointer { ask($0) }
            guard answer.code == ERANGE else { return answer.entry }
            count *= 4
        }
        return nil
    }
}

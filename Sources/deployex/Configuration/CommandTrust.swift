internal import Deployment
internal import Glibc
internal import Supervisor
internal import Transport

/// Whose sockets and files on this host the commands believe.
enum CommandTrust {
    /// What is to be done about a stranger who listens.
    static let remedy = "stop it, or name the user in DEPLOYEX_TRUSTED_USERS"

    private static let defaultBasePath = "/var/lib/deployex"

    /// Root, the own user, and who is named in `DEPLOYEX_TRUSTED_USERS`. For root also the user
    /// whose deployex it is: the owner of the base folder, where only root can have given it to
    /// that user.
    static func listeners(_ environment: [String: String]) throws(UsageError) -> ListenerTrust {
        var users = try ServerConfiguration.trustedUsers(Settings([.variables(environment)]))
        if let owner = try baseOwner(environment) { users = users.adding(owner) }
        return ListenerTrust(users: users, remedy: remedy)
    }

    /// Whose cookie, options, certificate and key files the commands take. For root also those of
    /// the user whose deployex it is: the one that they talk to has them from there.
    static func fileOwners(_ environment: [String: String]) throws(UsageError) -> TrustedUsers {
        guard let owner = try baseOwner(environment) else { return TrustedUsers() }
        return TrustedUsers().adding(owner)
    }

    /// `nil` where it says nothing, and for everybody but root.
    private static func baseOwner(
        _ environment: [String: String]
    ) throws(UsageError) -> UInt32? {
        guard TrustedUsers.own == 0 else { return nil }
        return owner(ofGivenFolder: try basePath(environment))
    }

    /// The user that an instance on this host runs as, where root's deployex has given its release
    /// to that user: root believes that user, too, for this one node. It blocks.
    /// - Parameter base: the base folder.
    static func user(ofInstance alive: String, base: String) -> UInt32? {
        guard TrustedUsers.own == 0, let dash = alive.lastIndex(of: "-"),
            let number = Int(alive[alive.index(after: dash)...]), number > 0
        else { return nil }
        let name = alive[..<dash]
        guard name.isMadeOfLettersDigits(and: "_"), !name.isEmpty else { return nil }
        let current = DeploymentLayout(basePath: base, application: String(name)).current(
            InstanceNumber(number))
        // Nobody but root can have made what leads there.
        guard let folder = try? PathTrust().folder(current) else { return nil }
        var status = stat()
        guard fstatat(folder.raw, "releases", &status, AT_SYMLINK_NOFOLLOW) == 0,
            status.st_mode & S_IFMT == S_IFDIR
        else { return nil }
        return status.st_uid
    }

    /// Where deployex works, as far as a command knows.
    static func basePath(_ environment: [String: String]) throws(UsageError) -> String {
        try Settings([.variables(environment)]).value(.basePath)?.path() ?? defaultBasePath
    }

    /// Who owns the folder at `path`, if nobody but root can have put it there: whoever may make a
    /// name in a folder on the way, as in `/tmp`, may make all below it.
    static func owner(ofGivenFolder path: String) -> UInt32? {
        guard TrustedUsers.own == 0, path.hasPrefix("/") else { return nil }
        var trust = PathTrust()
        trust.rule.acceptsStickyFolders = false
        do throws(PathTrustError) {
            return try trust.owner(ofFolder: path)
        } catch {
            return nil
        }
    }
}

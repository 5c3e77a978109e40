internal import Deployment
internal import Glibc
internal import Supervisor
internal import Transport

/// Which users' sockets and files on this host the commands believe.
enum CommandTrust {
    /// What the user can do about a stranger who listens.
    static let remedy = "stop it, or name the user in DEPLOYEX_TRUSTED_USERS"

    /// Root, the own user, and the users in `DEPLOYEX_TRUSTED_USERS`. For root also the user whose
    /// deployex it is: the owner of the base folder, if only root can have given it to that user.
    static func listeners(
        _ environment: [String: String], base: String
    ) throws(UsageError) -> ListenerTrust {
        var users = try ServerConfiguration.trustedUsers(Settings([.variables(environment)]))
        if let owner = owner(ofGivenFolder: base) { users = users.adding(owner) }
        return ListenerTrust(users: users, remedy: remedy)
    }

    /// The users whose cookie, options, certificate and key files the commands take. For root also
    /// the user whose deployex it is: that deployex reads the files of that user, too.
    static func fileOwners(base: String) -> TrustedUsers {
        guard let owner = owner(ofGivenFolder: base) else { return TrustedUsers() }
        return TrustedUsers().adding(owner)
    }

    /// The user that an instance on this host runs as, if root's deployex has given its release to
    /// that user. Root believes that user, too, but only for this one node. It blocks.
    /// - Parameter base: the base folder.
    static func user(ofInstance alive: String, base: String) -> UInt32? {
        guard TrustedUsers.own == 0, let dash = alive.lastIndex(of: "-"),
            let number = Int(alive[alive.index(after: dash)...]), number > 0
        else { return nil }
        let name = alive[..<dash]
        guard name.isMadeOfLettersDigits(and: "_"), !name.isEmpty else { return nil }
        let current = DeploymentLayout(basePath: base, application: String(name)).current(
            InstanceNumber(number))
        // Only root can have made the path to this folder.
        guard let folder = try? PathTrust().folder(current) else { return nil }
        var status = stat()
        guard fstatat(folder.raw, "releases", &status, AT_SYMLINK_NOFOLLOW) == 0,
            status.st_mode & S_IFMT == S_IFDIR
        else { return nil }
        return status.st_uid
    }

    /// The owner of the folder at `path`, if only root can have put it there. Whoever may make a
    /// name in a folder on the way, as in `/tmp`, can make everything below it.
    static func owner(ofGivenFolder path: String) -> UInt32? {
        guard TrustedUsers.own == 0, path.hasPrefix("/") else { return nil }
        return owner(ofPlacedFolder: path)
    }

    /// The other user whose deployex works in the base folder, if only root or the own user can have
    /// put it there; `nil` for the own user, and for root, who may give every command. It blocks.
    static func otherOwner(base: String) -> UInt32? {
        guard TrustedUsers.own != 0, base.hasPrefix("/") else { return nil }
        return owner(ofPlacedFolder: base).flatMap { $0 == TrustedUsers.own ? nil : $0 }
    }

    private static func owner(ofPlacedFolder path: String) -> UInt32? {
        var trust = PathTrust()
        trust.rule.acceptsStickyFolders = false
        do throws(PathTrustError) {
            return try trust.owner(ofFolder: path)
        } catch {
            return nil
        }
    }
}

/// Decides whether only trusted users can do what a group may. It does not look anything up itself.
///
/// A group's list does not show all members: with LDAP or SSSD everybody's primary group may be one
/// such as `domain users`, which lists nobody. So only groups are believed whose members are known:
/// - A trusted user's own group, as umask 002 presumes on Debian and Ubuntu: it is the user's
///   primary group, has the user's name or number, and contains nobody else.
/// - A group of the local group file that lists users, all of them trusted. It is nobody else's
///   primary group in the local user file.
///
/// One kind of user is not noticed: a user that only a server knows, and whose primary group the
/// server says is such a group.
struct GroupTrust {
    var users: TrustedUsers
    var user: (UInt32) -> UserDatabase.User?
    var group: (UInt32) -> GroupDatabase.Group?

    func isHarmless(_ id: UInt32) -> Bool {
        let group = group(id)
        if let group {
            guard !group.listsUnknownUsers, group.members.allSatisfy(users.contains) else {
                return false
            }
        }
        if users.all.contains(where: { isOwn(id, group, of: $0) }) { return true }
        guard let group else { return false }
        return group.isLocal && group.listsUsers
    }

    /// Whether the only members are trusted users and the system's own accounts, such as `syslog`.
    func isSystems(_ id: UInt32) -> Bool {
        guard Self.systemNumbers.contains(id), let group = group(id) else { return false }
        return group.isLocal && !group.listsUnknownUsers && !group.members.isEmpty
            && group.members.allSatisfy { users.contains($0) || Self.systemNumbers.contains($0) }
    }

    private func isOwn(_ id: UInt32, _ group: GroupDatabase.Group?, of user: UInt32) -> Bool {
        guard let account = self.user(user) else {
            // A user and a group with the same number and without names, as a container may have.
            return group == nil && id == user
        }
        return account.group == id && (account.id == id || account.name == group?.name)
    }

    /// The numbers of the system's own accounts and groups. Source: SYS_UID_MAX and SYS_GID_MAX,
    /// login.defs(5).
    private static let systemNumbers: ClosedRange<UInt32> = 1...999
}

/// Whether only trusted users can do what a group may: the decision, without the looking.
///
/// A group's list is not everything: with LDAP or SSSD the primary group of everybody may be one
/// such as `domain users`, which lists nobody. So a group is believed where it is known whose it
/// is:
/// - a trusted user's own, as umask 002 goes with on Debian and Ubuntu: his primary group, with his
///   name or number, and nobody else in it;
/// - one of the local group file that lists users, all of them trusted, and is the primary group of
///   nobody else in the local user file.
///
/// What is not seen: users that only a server knows, to whom it gives such a group as their primary
/// one.
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

    /// Whether the only members are accounts of the system's own, such as `syslog`, and trusted
    /// users.
    func isSystems(_ id: UInt32) -> Bool {
        guard Self.systemNumbers.contains(id), let group = group(id) else { return false }
        return group.isLocal && !group.listsUnknownUsers && !group.members.isEmpty
            && group.members.allSatisfy { users.contains($0) || Self.systemNumbers.contains($0) }
    }

    private func isOwn(_ id: UInt32, _ group: GroupDatabase.Group?, of user: UInt32) -> Bool {
        guard let account = self.user(user) else {
            // A user and a group of one number and no name, as a container may be given.
            return group == nil && id == user
        }
        return account.group == id && (account.id == id || account.name == group?.name)
    }

    /// Those of the system's own accounts and groups. Source: SYS_UID_MAX and SYS_GID_MAX,
    /// login.defs(5).
    private static let systemNumbers: ClosedRange<UInt32> = 1...999
}

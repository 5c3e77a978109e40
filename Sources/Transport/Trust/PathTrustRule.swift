/// What the file system says of one name on a path.
package struct PathEntry: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case folder, file, link, other
    }

    package var kind: Kind
    package var owner: UInt32
    package var group: UInt32
    /// The permission bits, 0o7777 at most.
    package var mode: UInt32
    /// Where there is more to say than the mode does.
    package var accessList: AccessList?
    /// How many names it has.
    package var linkCount: UInt64 = 1
}

/// Whether what stands on a path can be believed: the decision, without the looking.
///
/// Whoever may write to a folder may put something else in the place of what is in it, and whoever
/// owns it may let himself write to it. So every folder on a path belongs to a trusted user, and
/// nobody else writes to it, except that in a sticky one, such as `/tmp`, an entry can be replaced
/// by its owner only, who is looked at next. Of a group that may write ``GroupTrust`` says whether
/// it is harmless. The group's bits of a mode are the mask of an access control list where there is
/// one; then each of its entries counts.
package struct PathTrustRule: Equatable, Sendable {
    /// What a name on a path is used as.
    package enum Role: Equatable, Sendable {
        /// A folder on the way, or the one at the end.
        case folder
        /// A link on the way: only who owns it can change where it leads to.
        case link
        /// A file that only trusted users can write.
        case file
        /// Besides only they can read it.
        case secret
        /// A file that is appended to and read from: ours, with one name.
        case log
    }

    package enum Problem: Equatable, Sendable {
        case owner(UInt32)
        case writableByEveryone
        case writableByGroup(UInt32)
        case writableByUser(UInt32)
        case usableByEveryone
        case usableByGroup(UInt32)
        case usableByUser(UInt32)
        case notAFolder
        case notAFile(PathEntry.Kind)
        /// A log with that many names: it may be another file than it seems.
        case severalNames(UInt64)

        /// Who would have to be trusted.
        var user: UInt32? {
            switch self {
            case .owner(let user), .writableByUser(let user), .usableByUser(let user): user
            case .writableByEveryone, .writableByGroup, .usableByEveryone, .usableByGroup,
                .notAFolder, .notAFile, .severalNames:
                nil
            }
        }
    }

    package var users: TrustedUsers
    /// Whether folders of root's may be writable for a group of which only the system's own
    /// accounts are members, as Ubuntu's `/var/log` is for `syslog`. Only for paths that are walked
    /// again at each use.
    package var acceptsSystemGroups = false

    /// Whether others may write to a sticky folder on the way. Not where it matters who has made
    /// what is in it: there anybody can make a name.
    package var acceptsStickyFolders = true

    /// What speaks against it; `nil` when it can be believed.
    /// - Parameter groups: what it asks of the host's users and groups.
    func problem(_ entry: PathEntry, as role: Role, groups: GroupTrust) -> Problem? {
        switch role {
        case .folder: guard entry.kind == .folder else { return .notAFolder }
        case .link: break
        case .file, .secret, .log: guard entry.kind == .file else { return .notAFile(entry.kind) }
        }
        guard users.contains(entry.owner) else { return .owner(entry.owner) }
        switch role {
        // Its permissions mean nothing (symlink(7)).
        case .link: return nil
        case .folder:
            if acceptsStickyFolders, entry.mode & 0o1000 != 0 { return nil }
            return writer(entry, groups)
        case .file: return writer(entry, groups)
        case .secret:
            return writer(entry, groups)
                ?? other(
                    entry, 0o7, groups, everyone: .usableByEveryone,
                    group: { .usableByGroup($0) }, user: { .usableByUser($0) })
        case .log: return entry.linkCount > 1 ? .severalNames(entry.linkCount) : nil
        }
    }

    private func writer(_ entry: PathEntry, _ groups: GroupTrust) -> Problem? {
        other(
            entry, 0o2, groups, everyone: .writableByEveryone,
            group: { .writableByGroup($0) }, user: { .writableByUser($0) })
    }

    /// Who beside trusted users has one of the permissions `wanted`.
    private func other(
        _ entry: PathEntry, _ wanted: UInt32, _ groups: GroupTrust,
        everyone: Problem, group: (UInt32) -> Problem, user: (UInt32) -> Problem
    ) -> Problem? {
        if entry.mode & wanted != 0 { return everyone }
        // It is the mask of all others where there is a list.
        guard entry.mode >> 3 & wanted != 0 else { return nil }
        let list =
            entry.accessList
            ?? AccessList(users: [], groups: [], ownGroupPermissions: entry.mode >> 3 & 0o7)
        for one in list.users where one.permissions & wanted != 0 && !users.contains(one.id) {
            return user(one.id)
        }
        let own = AccessList.Entry(id: entry.group, permissions: list.ownGroupPermissions)
        for one in [own] + list.groups
        where one.permissions & wanted != 0 && !isHarmless(one.id, entry, groups) {
            return group(one.id)
        }
        return nil
    }

    private func isHarmless(_ group: UInt32, _ entry: PathEntry, _ groups: GroupTrust) -> Bool {
        if groups.isHarmless(group) { return true }
        return acceptsSystemGroups && entry.kind == .folder && entry.owner == 0
            && groups.isSystems(group)
    }
}

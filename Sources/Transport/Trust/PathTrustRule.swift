/// What the file system says about one name on a path.
package struct PathEntry: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case folder, file, link, other
    }

    package var kind: Kind
    package var owner: UInt32
    package var group: UInt32
    /// The permission bits, 0o7777 at most.
    package var mode: UInt32
    /// The access control list, if it says more than the mode.
    package var accessList: AccessList?
    /// How many names the file has.
    package var linkCount: UInt64 = 1
}

/// Decides whether what is on a path can be believed. It does not look at anything itself.
///
/// Whoever may write to a folder can replace what is in it, and its owner can give himself that
/// right. So every folder on a path must belong to a trusted user, and nobody else may write to it.
/// A sticky folder, such as `/tmp`, is an exception: only an entry's owner can replace the entry,
/// and the entry is judged next. If a group may write, ``GroupTrust`` says whether the group is
/// harmless. With an access control list the group's bits of the mode are only its mask. Then each
/// entry of the list counts.
package struct PathTrustRule: Equatable, Sendable {
    /// How a name on a path is used.
    package enum Role: Equatable, Sendable {
        /// A folder on the way, or the one at the end.
        case folder
        /// A link on the way: only its owner can change where it leads.
        case link
        /// A file that only trusted users can write.
        case file
        /// A file that only trusted users can write or read.
        case secret
        /// A file that is appended to and read: it must be ours and have one name.
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
        /// A log has this many names, so it may be another file than it seems.
        case severalNames(UInt64)

        /// The user who would have to be trusted.
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
    /// Whether root's folders may be writable for a group whose only members are the system's own
    /// accounts, such as Ubuntu's `/var/log` for `syslog`. Set it only for paths that are walked
    /// again at each use.
    package var acceptsSystemGroups = false

    /// Whether a sticky folder on the way may be writable for others. It must not be where it
    /// matters who made what is in the folder: anybody can add a name there.
    package var acceptsStickyFolders = true

    /// Why the entry cannot be believed; `nil` when it can.
    /// - Parameter groups: answers questions about the host's users and groups.
    func problem(_ entry: PathEntry, as role: Role, groups: GroupTrust) -> Problem? {
        switch role {
        case .folder: guard entry.kind == .folder else { return .notAFolder }
        case .link: break
        case .file, .secret, .log: guard entry.kind == .file else { return .notAFile(entry.kind) }
        }
        guard users.contains(entry.owner) else { return .owner(entry.owner) }
        switch role {
        // The permissions of a link mean nothing (symlink(7)).
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

    /// The problem that somebody who is not trusted has one of the permissions `wanted`; `nil` if
    /// nobody does.
    private func other(
        _ entry: PathEntry, _ wanted: UInt32, _ groups: GroupTrust,
        everyone: Problem, group: (UInt32) -> Problem, user: (UInt32) -> Problem
    ) -> Problem? {
        if entry.mode & wanted != 0 { return everyone }
        // If there is a list, these bits are the mask for all its entries.
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

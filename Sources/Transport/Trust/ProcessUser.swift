internal import CLinux
internal import Glibc

/// A user of this host in the form in which programs are started: with the user's groups and no
/// others.
package struct ProcessUser: Equatable, Sendable {
    package var name: String
    package var id: UInt32
    /// The primary group.
    package var group: UInt32
    /// All groups, the primary one included.
    package var groups: [UInt32]
    package var home: String

    package init(name: String, id: UInt32, group: UInt32, groups: [UInt32], home: String) {
        self.name = name
        self.id = id
        self.group = group
        self.groups = groups
        self.home = home
    }

    /// The variables that tell a program which user it runs as. Source: "Other Environment
    /// Variables", POSIX.
    package var variables: [String: String] {
        ["HOME": home, "USER": name, "LOGNAME": name]
    }

    /// Makes the calling thread run as this user, for good. Call execve(2) next, which ends the
    /// other threads.
    package func become() throws(SystemError) {
        guard clinux_become(id, group, groups, groups.count, 0) == 0 else {
            throw .last("becoming the user \(name)")
        }
    }
}

extension UserDatabase {
    /// The user with a name or number, with its groups; `nil` when there is none. It blocks.
    package static func processUser(named text: String) -> ProcessUser? {
        user(named: text).map { user in
            ProcessUser(
                name: user.name, id: user.id, group: user.group, groups: groups(of: user),
                home: user.home)
        }
    }

    /// Source: getgrouplist(3).
    private static func groups(of user: User) -> [UInt32] {
        var groups = [gid_t](repeating: 0, count: 16)
        while true {
            var count = Int32(groups.count)
            let result = getgrouplist(user.name, user.group, &groups, &count)
            if result >= 0 { return groups.prefix(Int(count)).map { UInt32($0) } }
            // The call returns how many groups there are. The kernel takes no more than
            // NGROUPS_MAX.
            guard Int(count) > groups.count, count <= 65_536 else { return [user.group] }
            groups = [gid_t](repeating: 0, count: Int(count))
        }
    }
}

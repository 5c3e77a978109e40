import Testing

@testable import Transport

/// Who can change what stands on a path, as a table. Nobody here is this process's own user.
@Suite struct PathTrustRuleTests {
    private static let publisher: UInt32 = 3_000_000_001
    private static let stranger: UInt32 = 3_000_000_002
    private static let colleague: UInt32 = 3_000_000_003
    private static let ownGroup: UInt32 = 3_000_000_011
    private static let shared: UInt32 = 3_000_000_012
    private static let empty: UInt32 = 3_000_000_013
    private static let syslog: UInt32 = 104

    private static func group(_ group: UInt32) -> GroupDatabase.Group? {
        switch group {
        case 0: .init(name: "root", members: [0], listsUsers: false)
        case ownGroup: .init(name: "publisher", members: [publisher], listsUsers: false)
        case shared: .init(name: "shared", members: [publisher, colleague])
        // As `domain users` of a server: it is the primary group of all, and lists nobody.
        case empty: .init(name: "domain users", members: [], listsUsers: false, isLocal: false)
        case syslog: .init(name: "syslog", members: [104], listsUsers: false)
        default: nil
        }
    }

    private static func user(_ id: UInt32) -> UserDatabase.User? {
        switch id {
        case 0: .init(name: "root", id: 0, group: 0, home: "/root")
        case publisher: .init(name: "publisher", id: publisher, group: ownGroup, home: "/")
        default: nil
        }
    }

    private func problem(
        _ kind: PathEntry.Kind, _ owner: UInt32, _ group: UInt32, _ mode: UInt32,
        as role: PathTrustRule.Role, list: AccessList? = nil, links: UInt64 = 1,
        systemGroups: Bool = false
    ) -> PathTrustRule.Problem? {
        let rule = PathTrustRule(
            users: TrustedUsers(others: [Self.publisher]), acceptsSystemGroups: systemGroups)
        return rule.problem(
            PathEntry(
                kind: kind, owner: owner, group: group, mode: mode, accessList: list,
                linkCount: links),
            as: role,
            groups: GroupTrust(users: rule.users, user: Self.user, group: Self.group))
    }

    typealias Row = (
        owner: UInt32, group: UInt32, mode: UInt32, problem: PathTrustRule.Problem?
    )

    @Test(
        arguments: [
            (0, 0, 0o755, nil), (0, 0, 0o700, nil), (TrustedUsers.own, 0, 0o755, nil),
            (publisher, ownGroup, 0o755, nil), (stranger, stranger, 0o700, .owner(stranger)),
            (stranger, 0, 0o1777, .owner(stranger)), (0, 0, 0o757, .writableByEveryone),
            // Sticky, as /tmp is: who owns what is in it is looked at next.
            (0, 0, 0o1777, nil), (0, shared, 0o1775, nil),
            // Umask 002, with a group of one's own.
            (publisher, ownGroup, 0o775, nil), (0, ownGroup, 0o775, nil),
            (publisher, shared, 0o775, .writableByGroup(shared)), (publisher, shared, 0o755, nil),
            (publisher, stranger, 0o775, .writableByGroup(stranger)), (0, 0, 0o775, nil),
            (0, empty, 0o2775, .writableByGroup(empty)),
            (publisher, empty, 0o775, .writableByGroup(empty)),
            (0, syslog, 0o775, .writableByGroup(syslog)),
        ] as [Row])
    func `a folder is its owner's, and nobody else's to write to`(row: Row) {
        #expect(problem(.folder, row.owner, row.group, row.mode, as: .folder) == row.problem)
    }

    @Test(
        arguments: [
            (0, 0, 0o644, nil), (publisher, ownGroup, 0o664, nil),
            (publisher, shared, 0o664, .writableByGroup(shared)),
            (0, 0, 0o666, .writableByEveryone),
            (stranger, 0, 0o400, .owner(stranger)), (0, shared, 0o644, nil),
            // A sticky bit means nothing on a file.
            (0, 0, 0o1646, .writableByEveryone),
        ] as [Row])
    func `a file is its owner's to write`(row: Row) {
        #expect(problem(.file, row.owner, row.group, row.mode, as: .file) == row.problem)
    }

    @Test(
        arguments: [
            (0, 0, 0o600, nil), (0, 0, 0o400, nil), (0, 0, 0o640, nil),
            (publisher, ownGroup, 0o640, nil), (0, shared, 0o640, .usableByGroup(shared)),
            (0, 0, 0o604, .usableByEveryone), (0, 0, 0o601, .usableByEveryone),
            (0, 0, 0o602, .writableByEveryone), (stranger, 0, 0o600, .owner(stranger)),
        ] as [Row])
    func `a secret is its owner's to read`(row: Row) {
        #expect(problem(.file, row.owner, row.group, row.mode, as: .secret) == row.problem)
    }

    @Test func `what a name is used as must be what it is`() {
        #expect(problem(.file, 0, 0, 0o755, as: .folder) == .notAFolder)
        #expect(problem(.folder, 0, 0, 0o755, as: .file) == .notAFile(.folder))
        #expect(problem(.other, 0, 0, 0o600, as: .secret) == .notAFile(.other))
        #expect(problem(.link, 0, 0, 0o777, as: .log) == .notAFile(.link))
    }

    @Test func `a link is its owner's, whatever its mode`() {
        #expect(problem(.link, 0, 0, 0o777, as: .link) == nil)
        #expect(problem(.link, Self.stranger, 0, 0o777, as: .link) == .owner(Self.stranger))
    }

    @Test func `a log has one name, and an owner who is trusted`() {
        #expect(problem(.file, 0, 0, 0o640, as: .log) == nil)
        #expect(problem(.file, 0, 0, 0o666, as: .log) == nil)
        #expect(problem(.file, 0, 0, 0o640, as: .log, links: 2) == .severalNames(2))
        #expect(problem(.file, Self.stranger, 0, 0o640, as: .log) == .owner(Self.stranger))
    }

    @Test
    func
        `a group of the system's own accounts may write where that is accepted, to root's folders`()
    {
        #expect(problem(.folder, 0, Self.syslog, 0o775, as: .folder, systemGroups: true) == nil)
        #expect(
            problem(.folder, 0, Self.shared, 0o775, as: .folder, systemGroups: true)
                == .writableByGroup(Self.shared))
        #expect(
            problem(
                .folder, Self.publisher, Self.syslog, 0o775, as: .folder, systemGroups: true)
                == .writableByGroup(Self.syslog))
        #expect(
            problem(.file, 0, Self.syslog, 0o664, as: .file, systemGroups: true)
                == .writableByGroup(Self.syslog))
    }

    @Test func `whose group it is must be known for system groups, too`() {
        // A server's "domain users" may have a number as low as Samba's 513.
        let rule = PathTrustRule(users: TrustedUsers(), acceptsSystemGroups: true)
        let groups = GroupTrust(users: rule.users, user: Self.user) { _ in
            .init(name: "domain users", members: [], listsUsers: false, isLocal: false)
        }
        let folder = PathEntry(kind: .folder, owner: 0, group: 513, mode: 0o775)
        #expect(rule.problem(folder, as: .folder, groups: groups) == .writableByGroup(513))
    }

    @Test func `where it matters who made a folder, a sticky one is as any other`() {
        var rule = PathTrustRule(users: TrustedUsers())
        rule.acceptsStickyFolders = false
        let groups = GroupTrust(users: rule.users, user: Self.user, group: Self.group)
        func problem(_ group: UInt32, _ mode: UInt32) -> PathTrustRule.Problem? {
            rule.problem(
                PathEntry(kind: .folder, owner: 0, group: group, mode: mode), as: .folder,
                groups: groups)
        }
        #expect(problem(0, 0o1777) == .writableByEveryone)
        #expect(problem(Self.shared, 0o1775) == .writableByGroup(Self.shared))
        #expect(problem(0, 0o1755) == nil)
    }

    // MARK: Access control lists

    private func list(
        users: [(UInt32, UInt32)] = [], groups: [(UInt32, UInt32)] = [], own: UInt32 = 5
    ) -> AccessList {
        AccessList(
            users: users.map { .init(id: $0, permissions: $1) },
            groups: groups.map { .init(id: $0, permissions: $1) }, ownGroupPermissions: own)
    }

    @Test func `each entry of an access control list counts`() {
        func folder(_ list: AccessList) -> PathTrustRule.Problem? {
            problem(.folder, 0, Self.ownGroup, 0o775, as: .folder, list: list)
        }
        #expect(folder(list()) == nil)
        #expect(folder(list(users: [(Self.publisher, 7)])) == nil)
        #expect(folder(list(users: [(Self.stranger, 5)])) == nil)
        #expect(folder(list(users: [(Self.stranger, 7)])) == .writableByUser(Self.stranger))
        #expect(folder(list(groups: [(Self.shared, 7)])) == .writableByGroup(Self.shared))
        #expect(folder(list(groups: [(Self.ownGroup, 7)])) == nil)
        // As systemd gives a service its credentials: root's, with an entry for the service's user.
        let credential = list(users: [(TrustedUsers.own, 4)], own: 0)
        #expect(problem(.file, 0, Self.shared, 0o440, as: .secret, list: credential) == nil)
        let shown = list(users: [(Self.stranger, 4)], own: 0)
        #expect(
            problem(.file, 0, 0, 0o440, as: .secret, list: shown) == .usableByUser(Self.stranger))
    }

    @Test func `the kernel's form of a list is read, and anything else is none`() {
        func entry(_ tag: UInt8, _ permissions: UInt8, _ id: UInt32) -> [UInt8] {
            [tag, 0, permissions, 0] + (0..<4).map { UInt8(truncatingIfNeeded: id >> ($0 * 8)) }
        }
        let bytes: [UInt8] =
            [2, 0, 0, 0] + entry(1, 7, .max) + entry(2, 7, 70_000) + entry(4, 7, .max)
            + entry(8, 6, 12) + entry(0x10, 5, .max) + entry(0x20, 0, .max)
        #expect(
            AccessList(bytes)
                == list(users: [(70_000, 5)], groups: [(12, 4)], own: 5))
        for count in 0..<bytes.count where count % 8 != 4 {
            #expect(AccessList(bytes.prefix(count)) == nil)
        }
        #expect(AccessList([3, 0, 0, 0]) == nil)
        #expect(AccessList([2, 0, 0, 0] + entry(3, 7, 1)) == nil)
    }

    @Test func `users with a primary group are found in the user database`() {
        #expect(GroupDatabase.usersWithPrimaryGroup(0).contains(0))
        #expect(GroupDatabase.group(id: 0)?.members.contains(0) == true)
        #expect(GroupDatabase.group(id: 3_111_222_333) == nil)
    }
}

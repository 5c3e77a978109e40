import Foundation
import TestKit
import Testing

@testable import Transport

/// Whose a group is, as a table: `alice` is trusted, `bob` is not.
@Suite struct GroupTrustTests {
    private static let alice: UInt32 = 3_000_001_001
    private static let bob: UInt32 = 3_000_001_002
    private static let id: UInt32 = 3_000_001_500

    typealias Row = (
        primary: UInt32, group: GroupDatabase.Group?, isHarmless: Bool
    )

    private static func row(
        _ primary: UInt32 = id, _ name: String = "alice", _ members: Set<UInt32> = [],
        lists: Bool = false, unknown: Bool = false, isLocal: Bool = true, harmless isHarmless: Bool
    ) -> Row {
        (
            primary,
            .init(
                name: name, members: members, listsUsers: lists, listsUnknownUsers: unknown,
                isLocal: isLocal), isHarmless
        )
    }

    private static let rows = [
        // Her own, known here or by a server.
        row(harmless: true), row(id, "alice", [alice], harmless: true),
        row(isLocal: false, harmless: true),
        row(id, "alice", [alice, bob], lists: true, harmless: false),
        row(id, "alice", unknown: true, harmless: false),
        // Of her name, but not her primary group.
        row(100, "alice", harmless: false),
        // The primary group of everybody, of whom a server lists nobody.
        row(id, "domain users", isLocal: false, harmless: false),
        row(id, "domain users", [alice], isLocal: false, harmless: false),
        row(id, "users", [alice], harmless: false),
        // One that lists only her and root.
        row(100, "deploy", [alice, 0], lists: true, harmless: true),
        row(100, "deploy", [alice, 0], lists: true, isLocal: false, harmless: false),
        row(100, "deploy", [alice, bob], lists: true, harmless: false),
        row(100, "deploy", [alice], lists: true, unknown: true, harmless: false),
        (100, nil, false),
    ]

    @Test(arguments: rows)
    func `a group is harmless where it is known whose it is`(row: Row) {
        let trust = GroupTrust(
            users: TrustedUsers(others: [Self.alice]),
            user: { id in
                guard id == Self.alice else { return nil }
                return .init(name: "alice", id: Self.alice, group: row.primary, home: "/")
            }, group: { _ in row.group })
        #expect(trust.isHarmless(Self.id) == row.isHarmless)
    }

    @Test func `a group of its owner's number is his where it is his primary one`() {
        func isHarmless(_ account: UserDatabase.User?, _ name: String?) -> Bool {
            GroupTrust(
                users: TrustedUsers(others: [Self.alice]),
                user: { $0 == Self.alice ? account : nil },
                group: { _ in
                    name.map { .init(name: $0, members: [], listsUsers: false, isLocal: false) }
                }
            ).isHarmless(Self.alice)
        }
        let account = UserDatabase.User(
            name: "alice", id: Self.alice, group: Self.alice, home: "/")
        var another = account
        another.group = 100
        #expect(isHarmless(account, "wonderland"))
        #expect(isHarmless(account, nil))
        #expect(!isHarmless(another, "wonderland"))
        // In a container: neither has a name.
        #expect(isHarmless(nil, nil))
        #expect(!isHarmless(nil, "docker"))
    }

    @Test func `the local files say which groups and users are theirs`() throws {
        #expect(GroupDatabase.group(id: 0)?.isLocal == true)
        let folder = TemporaryFolder("trust", in: "/tmp")
        try "root:x:0:\nusers:x:100:a,b\n\nbroken\n".write(
            toFile: folder("group"), atomically: true, encoding: .utf8)
        #expect(GroupDatabase.isLocal("users", 100, in: folder("group")))
        #expect(!GroupDatabase.isLocal("users", 0, in: folder("group")))
        #expect(!GroupDatabase.isLocal("domain users", 100, in: folder("group")))
        #expect(!GroupDatabase.isLocal("users", 100, in: folder("none")))
    }
}

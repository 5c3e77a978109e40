import Foundation
import Glibc
import Testing
import Transport

@testable import deployex

@Suite struct EPMDStartsTests {
    @Test func `EPMD is started at once, then less and less often`() {
        var starts = EPMDStarts()
        let begin = MonotonicTime.now
        var seconds: [Int] = []
        for second in 0..<1200
        where starts.unreachable(now: begin + .seconds(second)) { seconds.append(second) }
        #expect(seconds == [0, 4, 12, 28, 60, 124, 252, 508, 808, 1108])
    }

    @Test func `a loss after a long time is the first one again`() {
        var starts = EPMDStarts()
        let begin = MonotonicTime.now
        for second in 0..<1000 { _ = starts.unreachable(now: begin + .seconds(second)) }
        let answers = [2000, 2003, 2004].map { starts.unreachable(now: begin + .seconds($0)) }
        #expect(answers == [true, false, true])
    }
}

/// Whom the commands believe.
@Suite struct CommandTrustTests {
    /// A folder in a place where only root can make one.
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/var/lib/deployex-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test(.enabled(if: geteuid() == 0, "root alone can give folders away"))
    func `root believes the owner of the base folder where only root can have given it`() throws {
        try withFolder { folder in
            #expect(CommandTrust.owner(ofGivenFolder: folder) == 0)
            chown(folder, 54_321, 54_321)
            #expect(CommandTrust.owner(ofGivenFolder: folder) == 54_321)
            let users = try CommandTrust.listeners(["DEPLOYEX_BASE_PATH": folder]).users
            #expect(users == TrustedUsers(others: [54_321]))
            // What lies in it was not given by root.
            mkdir(folder + "/inner", 0o755)
            chown(folder + "/inner", 54_322, 54_322)
            #expect(CommandTrust.owner(ofGivenFolder: folder + "/inner") == nil)
            // Nor what a link of root's leads to.
            symlink(folder + "/inner", folder + "-link")
            defer { unlink(folder + "-link") }
            #expect(CommandTrust.owner(ofGivenFolder: folder + "-link") == nil)
        }
    }

    @Test func `a folder where anybody can make one says nothing`() throws {
        var template = Array("/tmp/deployex-trust.XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        let folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(folder) }
        #expect(CommandTrust.owner(ofGivenFolder: folder) == nil)
        #expect(CommandTrust.owner(ofGivenFolder: "/nowhere/at/all") == nil)
        #expect(CommandTrust.owner(ofGivenFolder: "") == nil)
        #expect(
            try CommandTrust.listeners(["DEPLOYEX_BASE_PATH": folder]).users == TrustedUsers())
    }

    @Test func `who is named is believed`() throws {
        let environment = [
            "DEPLOYEX_TRUSTED_USERS": "54321", "DEPLOYEX_BASE_PATH": "/nowhere",
        ]
        // In a container the host's users have no accounts.
        #expect(try CommandTrust.listeners(environment).users.contains(54321))
        #expect(throws: UsageError.self) {
            try CommandTrust.listeners(["DEPLOYEX_TRUSTED_USERS": "no such user"])
        }
        let trust = try CommandTrust.listeners(["DEPLOYEX_TRUSTED_USERS": "root"])
        #expect(trust.users.contains(0))
        #expect(trust.remedy.contains("DEPLOYEX_TRUSTED_USERS"))
    }
}

@Suite struct RemoteIdentityTests {
    @Test(arguments: [
        // Root's deployex says as whom the instance runs.
        (UInt32(0), Int?.none, Int?.none), (0, 0, nil), (0, 1000, 1000),
        // Another one's says what it likes, and gets nobody but itself.
        (999, nil, 999), (999, 0, 999), (999, 1000, 999),
    ])
    func `root becomes whoever may have changed the release`(
        server: UInt32, instance: Int?, user: Int?
    ) {
        #expect(RemoteCommand.identity(server: server, instance: instance) == user)
    }
}

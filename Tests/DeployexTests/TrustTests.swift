import Foundation
import Glibc
import TestKit
import Testing

@testable import Transport
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
            let users = try CommandTrust.listeners([:], base: folder).users
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

    @Test(.enabled(if: geteuid() == 0, "root alone can give folders away"))
    func `a folder in which somebody else can make one says nothing`() throws {
        try withFolder { folder in
            let base = folder + "/base"
            mkdir(base, 0o755)
            chown(base, 54_321, 54_321)
            #expect(CommandTrust.owner(ofGivenFolder: base) == 54_321)
            chmod(folder, 0o1777)
            #expect(CommandTrust.owner(ofGivenFolder: base) == nil)
            chmod(folder, 0o775)
            chown(folder, 0, 54_322)
            #expect(CommandTrust.owner(ofGivenFolder: base) == nil)
            chown(folder, 0, 0)
            #expect(CommandTrust.owner(ofGivenFolder: base) == 54_321)
            // The same mode, where a list gives it to somebody else.
            let list = """
                import os, struct
                entries = [(1, 7, -1), (2, 7, 54323), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
                value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries)
                os.setxattr("\(folder)", "system.posix_acl_access", value)
                """
            let python = try ChildProcess("python3", ["-c", list])
            // A file system without lists has none to look at.
            guard python.waitForEnd(.seconds(20)) == 0 else { return }
            #expect(CommandTrust.owner(ofGivenFolder: base) == nil)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "root alone can give folders away"))
    func `root's commands take the files of the user whose deployex it is, and start does not`()
        throws
    {
        try withFolder { folder in
            let (base, etc) = (folder + "/base", folder + "/etc")
            for path in [base, etc] {
                mkdir(path, 0o700)
                chown(path, 54_321, 54_321)
            }
            let environment = ["DEPLOYEX_COOKIE_FILE": etc + "/cookie"]
            for name in ["cookie", "inet_tls.conf"] {
                try "secret".write(
                    toFile: etc + "/" + name, atomically: true, encoding: .utf8)
                chmod(etc + "/" + name, 0o600)
                chown(etc + "/" + name, 54_321, 54_321)
            }
            let owners = CommandTrust.fileOwners(base: base)
            #expect(owners == TrustedUsers(others: [54_321]))
            let options = DistributionOptions()
            #expect(
                try Cookie.lookFor(
                    options, environment: environment, owners: owners, recorded: nil) == "secret")
            let refusal = #expect(throws: UsageError.self) {
                _ = try Cookie.lookFor(options, environment: environment, recorded: nil)
            }
            #expect(refusal?.message.contains("belongs to uid 54321") == true)
            #expect(refusal?.message.contains("chown") == false)
            var tls = DistributionOptions()
            tls.usesTLS = true
            tls.tlsOptionsFile = etc + "/inet_tls.conf"
            for (owners, word) in [(owners, "section"), (TrustedUsers(), "belongs to uid 54321")] {
                let error = #expect(throws: UsageError.self) {
                    _ = try TLSAccess.load(tls, environment: [:], owners: owners) { _, _ in }
                }
                if word == "section" {
                    #expect(error?.message.contains("belongs to") == false, "\(error as Any)")
                } else {
                    #expect(error?.message.contains(word) == true, "\(error as Any)")
                }
            }
        }
    }

    @Test func `a folder where anybody can make one says nothing`() throws {
        let temporary = TemporaryFolder("trust", in: "/tmp")
        let folder = temporary.path
        #expect(CommandTrust.owner(ofGivenFolder: folder) == nil)
        #expect(CommandTrust.owner(ofGivenFolder: "/nowhere/at/all") == nil)
        #expect(CommandTrust.owner(ofGivenFolder: "") == nil)
        #expect(
            try CommandTrust.listeners([:], base: folder).users == TrustedUsers())
    }

    @Test func `who is named is believed`() throws {
        let environment = ["DEPLOYEX_TRUSTED_USERS": "54321"]
        // In a container the host's users have no accounts.
        #expect(try CommandTrust.listeners(environment, base: "/nowhere").users.contains(54321))
        #expect(throws: UsageError.self) {
            try CommandTrust.listeners(
                ["DEPLOYEX_TRUSTED_USERS": "no such user"], base: "/nowhere")
        }
        let trust = try CommandTrust.listeners(
            ["DEPLOYEX_TRUSTED_USERS": "root"], base: "/nowhere")
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
        #expect(RemoteShell.identity(server: server, instance: instance) == user)
    }
}

@Suite struct NameTakerTests {
    @Test func `a listener that nobody holds is just closing, and has taken no name`() throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var status = stat()
        #expect(fstat(raw, &status) == 0)
        let sockets: Set = [
            ListeningSocket(
                address: .loopback(port: 7), user: geteuid(), inode: UInt64(status.st_ino))
        ]
        let refusal = NameTaker.refusal(of: sockets, "is not shop-1")
        guard case .notItsOwn(let text) = refusal else {
            Issue.record("\(refusal)")
            return
        }
        #expect(text.hasPrefix("is not shop-1, OS process \(getpid()) in "))
        close(raw)
        let closing: Set = [
            ListeningSocket(address: .loopback(port: 7), user: geteuid(), inode: .max)
        ]
        let gone = NameTaker.refusal(of: closing, "is not shop-1")
        // Without root's rights it does not see into every process of its own user.
        #expect(gone == .changed || geteuid() != 0 && gone == .notItsOwn("is not shop-1"))
    }
}

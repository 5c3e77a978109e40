import Glibc
import TestKit
import Testing

@testable import Transport

/// Another user of the host: a number that nobody has.
private let stranger: uid_t = 54321

extension TemporaryFolder {
    func folder(_ name: String, _ mode: mode_t = 0o755, owner: uid_t? = nil) {
        mkdir(self(name), mode)
        chmod(self(name), mode)
        if let owner { chown(self(name), owner, owner) }
    }

    func file(_ name: String, _ mode: mode_t = 0o644, owner: uid_t? = nil) {
        close(open(self(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        chmod(self(name), mode)
        if let owner { chown(self(name), owner, owner) }
    }
}

/// The walk, in real folders. A private sticky folder takes the place of /tmp.
@Suite struct PathTrustTests {
    let folder = TemporaryFolder("trust", in: "/tmp")

    init() {
        folder.folder("tmp", 0o1777)
    }

    private func reason(
        _ trust: PathTrust = PathTrust(), _ body: (PathTrust) throws(PathTrustError) -> Void
    ) -> (place: String, reason: PathTrustError.Reason)? {
        do throws(PathTrustError) {
            try body(trust)
            return nil
        } catch {
            return (error.place, error.reason)
        }
    }

    private func refusal(
        _ name: String, as role: PathTrustRule.Role = .folder, _ trust: PathTrust = PathTrust()
    ) -> (place: String, reason: PathTrustError.Reason)? {
        reason(trust) { (trust) throws(PathTrustError) in
            switch role {
            case .folder: _ = try trust.folder(folder(name))
            case .file, .secret, .log, .link: _ = try trust.file(folder(name), as: role)
            }
        }
    }

    @Test func `a folder of ours in a sticky one is opened, and is the one with that name`() throws
    {
        folder.folder("tmp/deployex", 0o700)
        folder.folder("tmp/deployex/varlib", 0o700)
        let opened = try PathTrust().folder(folder("tmp/deployex/varlib"))
        var (one, other) = (stat(), stat())
        #expect(fstat(opened.raw, &one) == 0)
        #expect(stat(folder("tmp/deployex/varlib"), &other) == 0)
        #expect(one.st_ino == other.st_ino)
    }

    @Test func `a folder on the way that everyone can write to is refused by its own path`() {
        folder.folder("open", 0o777)
        folder.folder("open/inner", 0o700)
        let found = refusal("open/inner")
        #expect(found?.place == folder("open"))
        #expect(found?.reason == .untrusted(.writableByEveryone))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `a stranger's folder in a sticky one is refused, whatever is in it`() {
        folder.folder("tmp/deployex", 0o755, owner: stranger)
        folder.folder("tmp/deployex/varlib", 0o700)
        #expect(refusal("tmp/deployex/varlib")?.place == folder("tmp/deployex"))
        #expect(refusal("tmp/deployex/varlib")?.reason == .untrusted(.owner(stranger)))
        #expect(
            refusal("tmp/deployex", PathTrust(users: TrustedUsers(others: [stranger]))) == nil)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `a stranger's link is not followed, ours is`() {
        folder.folder("real", 0o700)
        symlink("../real", folder("tmp/own"))
        symlink("../real", folder("tmp/strange"))
        lchown(folder("tmp/strange"), stranger, stranger)
        #expect(refusal("tmp/own") == nil)
        #expect(refusal("tmp/strange")?.place == folder("tmp/strange"))
        #expect(refusal("tmp/strange")?.reason == .untrusted(.owner(stranger)))
        #expect(refusal("tmp/strange/", as: .folder)?.reason == .untrusted(.owner(stranger)))
    }

    @Test func `links are followed wherever they lead, and what is there is judged`() {
        folder.folder("a", 0o755)
        folder.folder("a/b", 0o755)
        folder.folder("open", 0o777)
        folder.folder("open/c", 0o755)
        folder.file("a/b/file")
        symlink("a", folder("relative"))
        symlink(folder("a/b"), folder("absolute"))
        symlink("../../a/b/file", folder("a/b/again"))
        symlink("open/c", folder("bad"))
        #expect(refusal("relative/b") == nil)
        #expect(refusal("absolute") == nil)
        #expect(refusal("relative/b/again", as: .file) == nil)
        #expect(refusal("relative/b/../b/./file", as: .file) == nil)
        #expect(refusal("bad")?.place == folder("open"))
        symlink("circle", folder("circle"))
        #expect(refusal("circle")?.reason == .tooManyLinks)
        #expect(refusal("circle", as: .file)?.reason == .tooManyLinks)
    }

    @Test func `what is missing is told, and is no problem where it may be missing`() throws {
        let trust = PathTrust()
        let found = #expect(throws: PathTrustError.self) {
            _ = try trust.folder(folder("tmp/none/inner"))
        }
        #expect(found?.isNotFound == true)
        try trust.check(folder("tmp/none/inner"), as: .folder)
        try trust.check(folder("tmp/none.conf"), as: .file)
        folder.folder("open", 0o777)
        #expect(
            reason { (trust) throws(PathTrustError) in
                try trust.check(folder("open/none"), as: .folder)
            }?.place == folder("open"))
    }

    @Test func `missing folders are made with their mode, whatever the umask`() throws {
        _ = try PathTrust().makeFolder(folder("tmp/x/y"), mode: 0o775)
        for name in ["tmp/x", "tmp/x/y"] {
            var status = stat()
            #expect(stat(folder(name), &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o775)
        }
        // One that is there stays as it is.
        chmod(folder("tmp/x/y"), 0o700)
        _ = try PathTrust().makeFolder(folder("tmp/x/y"), mode: 0o755)
        var status = stat()
        #expect(stat(folder("tmp/x/y"), &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o700)
    }

    @Test func `files are what they should be`() {
        folder.file("plain", 0o644)
        folder.file("secret", 0o600)
        folder.file("open", 0o666)
        mkfifo(folder("fifo"), 0o600)
        #expect(refusal("plain", as: .file) == nil)
        #expect(refusal("plain", as: .secret)?.reason == .untrusted(.usableByEveryone))
        #expect(refusal("secret", as: .secret) == nil)
        #expect(refusal("open", as: .file)?.reason == .untrusted(.writableByEveryone))
        #expect(refusal("fifo", as: .file)?.reason == .untrusted(.notAFile(.other)))
        #expect(refusal("tmp", as: .file)?.reason == .untrusted(.notAFile(.folder)))
        #expect(refusal("plain/x", as: .file)?.reason == .untrusted(.notAFolder))
    }

    @Test func `umask 002 is no problem`() {
        folder.folder("packages", 0o775)
        folder.file("packages/current.json", 0o664)
        #expect(refusal("packages/current.json", as: .file) == nil)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files to a group"))
    func `a group with others in it is a problem`() {
        folder.folder("packages", 0o775)
        chown(folder("packages"), 0, 54322)
        #expect(refusal("packages")?.reason == .untrusted(.writableByGroup(54322)))
        chown(folder("packages"), stranger, stranger)
        #expect(
            refusal("packages", PathTrust(users: TrustedUsers(others: [stranger]))) == nil)
    }

    @Test func `an entry for another user in an access control list is a problem`() throws {
        folder.folder("shared", 0o755)
        // Version 2; owner, user 54323, group, mask and everybody.
        let list = """
            import os, struct
            entries = [(1, 7, -1), (2, 7, 54323), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
            value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *one) for one in entries)
            os.setxattr("\(folder("shared"))", "system.posix_acl_access", value)
            """
        let result = try ChildProcess("python3", ["-c", list], output: .pipe).wait()
        // A file system without them has none that could be a problem.
        if result.status != 0, result.output.contains("Errno 95") { return }
        #expect(result.status == 0, "\(result.output)")
        #expect(refusal("shared")?.reason == .untrusted(.writableByUser(54323)))
    }

    @Test func `a refusal names the path, the owner and what helps`() {
        let trust = PathTrust(mayNameUsers: true, remedy: "set DEPLOYEX_STORAGE_PATH")
        let error = trust.error("/tmp/counter/dist", "/tmp/counter", .owner(54321))
        #expect(
            error.description
                == "using /tmp/counter/dist: /tmp/counter belongs to uid 54321, whom deployex does not"
                + " trust: name 54321 in DEPLOYEX_TRUSTED_USERS, or set DEPLOYEX_STORAGE_PATH")
    }

    @Test func `nobody is told to take from another user what is his`() {
        let own = UserDatabase.user(id: geteuid())?.name ?? "\(geteuid())"
        let users = geteuid() == 0 ? "root" : "root or \(own)"
        #expect(
            PathTrust.files(of: TrustedUsers()).error("/k", "/k", .owner(54321)).description
                == "/k belongs to uid 54321, whom deployex does not trust:"
                + " use one that belongs to \(users)")
        // Such as a link that an application has put into its own release.
        #expect(
            PathTrust().error("/k", "/k", .owner(54321)).description
                == "/k belongs to uid 54321, whom deployex does not trust")
        #expect(
            PathTrust.files(of: TrustedUsers()).error("/k", "/k", .usableByEveryone).description
                == "/k can be read by everyone: run: chmod 600 /k")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `whose folder it is counts where nobody else can have put it there`() throws {
        folder.folder("base", 0o700, owner: stranger)
        #expect(try PathTrust().owner(ofFolder: folder("base")) == stranger)
        folder.file("file")
        #expect(throws: PathTrustError.self) {
            try PathTrust().owner(ofFolder: folder("file"))
        }
        folder.folder("base/inner", 0o700)
        #expect(throws: PathTrustError.self) {
            try PathTrust().owner(ofFolder: folder("base/inner"))
        }
        symlink("base", folder("own"))
        symlink("base", folder("tmp/strange"))
        lchown(folder("tmp/strange"), stranger, stranger)
        #expect(try PathTrust().owner(ofFolder: folder("own")) == stranger)
        #expect(throws: PathTrustError.self) {
            try PathTrust().owner(ofFolder: folder("tmp/strange"))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `the folder of revocation lists is listed where it was walked to`() throws {
        folder.folder("crls", 0o755)
        folder.file("crls/5b1c4b2f.r0")
        let check = RevocationCheck(scope: .chain, folder: folder("crls"))
        #expect(try check.files(owners: TrustedUsers()) == [folder("crls/5b1c4b2f.r0")])
        chown(folder("crls"), stranger, stranger)
        #expect(throws: PathTrustError.self) { try check.files(owners: TrustedUsers()) }
        #expect(try check.files(owners: TrustedUsers(others: [stranger])).count == 1)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `files of a user who counts are taken, secrets as well`() throws {
        folder.file("key", 0o600, owner: stranger)
        #expect(throws: TrustedFile.Failure.self) {
            try TrustedFile.read(folder("key"), as: .secret, limit: 1)
        }
        #expect(
            try TrustedFile.read(
                folder("key"), as: .secret, owners: TrustedUsers(others: [stranger]), limit: 1)
                == [])
    }

    // MARK: From an opened folder

    private func anchor() throws -> FolderAnchor {
        folder.folder("base", 0o700)
        return FolderAnchor(try PathTrust().folder(folder("base")), path: folder("base"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `below an opened folder no link of a stranger leads anywhere`() throws {
        let anchor = try anchor()
        folder.folder("base/app", 0o755, owner: stranger)
        folder.folder("elsewhere", 0o700)
        symlink(folder("elsewhere"), folder("base/app/out"))
        symlink("../app", folder("base/app/around"))
        for name in ["out", "around"] { lchown(folder("base/app/\(name)"), stranger, stranger) }
        for name in ["out", "around"] {
            let error = #expect(throws: PathTrustError.self) {
                _ = try anchor.entry(folder("base/app/\(name)/file"))
            }
            #expect(error?.reason == .untrusted(.owner(stranger)))
            #expect(throws: PathTrustError.self) {
                _ = try anchor.target(folder("base/app/\(name)"))
            }
        }
        let entry = try anchor.entry(folder("base/app/file"))
        #expect(entry.name == "file")
    }

    @Test func `a link of ours is followed, inside and to where all can be believed`() throws {
        let anchor = try anchor()
        folder.folder("base/service", 0o755)
        folder.folder("disk", 0o755)
        folder.folder("open", 0o777)
        symlink("service", folder("base/inside"))
        symlink(folder("disk"), folder("base/outside"))
        symlink(folder("open"), folder("base/open"))
        symlink("../disk", folder("base/above"))
        _ = try anchor.entry(folder("base/inside/x"))
        _ = try anchor.entry(folder("base/outside/x"))
        #expect(throws: PathTrustError.self) { _ = try anchor.entry(folder("base/open/x")) }
        // Where the folder stands in its tree is not known from inside.
        #expect(throws: PathTrustError.self) { _ = try anchor.entry(folder("base/above/x")) }
        #expect(throws: PathTrustError.self) { _ = try anchor.entry(folder("base/../disk/x")) }
    }

    @Test func `the opened folder stays the same when another one gets its name`() throws {
        let anchor = try anchor()
        folder.folder("base/mine", 0o755)
        rename(folder("base"), folder("moved"))
        folder.folder("base", 0o777)
        let entry = try anchor.entry(folder("base/mine/file"))
        close(openat(entry.folder.raw, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
        #expect(access(folder("moved/mine/file"), F_OK) == 0)
    }
}

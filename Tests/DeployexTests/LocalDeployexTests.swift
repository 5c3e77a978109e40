import ErlDist
import Glibc
import Supervisor
import TestKit
import Testing
import Transport

@testable import deployex

/// What commands find of the deployex of their host.
@Suite struct LocalDeployexTests {
    private let folder = TemporaryFolder()
    private let running = ProcessIdentity.ofRunning(pid: getpid())

    private func record(
        _ node: String = "deployex@server", tls: NodeRecord.TLS? = nil, isRunning: Bool = true
    ) throws -> NodeRecord {
        var process = try #require(running)
        if !isRunning { process.startTicks += 1 }
        return NodeRecord(
            node: try NodeName(node), usesLongNames: node.contains("."), epmdPort: 5000,
            cookie: "theirs", tls: tls, process: process, epmd: nil)
    }

    @Test func `what start leaves is read by its user, and is nobody else's`() throws {
        let left = try record(tls: .init(optionsFile: "/etc/inet_tls.conf"))
        #expect(NodeRecord.read(in: folder.path) == .absent)
        try left.write(in: folder.path, files: HostFileSystem())
        let path = NodeRecord.path(in: folder.path)
        #expect(NodeRecord.read(in: folder.path) == .found(left))
        #expect(Files.bytes(path).count == 1024)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        chmod(path, 0o644)
        guard case .refused(let text) = NodeRecord.read(in: folder.path) else {
            return #expect(Bool(false), "others may read it")
        }
        #expect(text.contains("can be read by"))
        #expect(!text.contains("theirs"))
    }

    @Test(arguments: [
        "", "{}", "[1]", #"{"format":1,"cookie":"x"}"#,
        #"{"format":2,"node":"a@b","uses_long_names":false,"epmd_port":1,"cookie":"x","process":{"pid":9,"start_ticks":1,"boot_id":"b"}}"#,
        #"{"format":1,"node":"a@b","uses_long_names":false,"epmd_port":1,"cookie":"x","process":{"pid":1,"start_ticks":1,"boot_id":"b"}}"#,
        #"{"format":1,"node":"a","uses_long_names":false,"epmd_port":1,"cookie":"x","process":{"pid":9,"start_ticks":1,"boot_id":"b"}}"#,
        #"{"format":1,"node":"a@b","uses_long_names":false,"epmd_port":1,"cookie":"","process":{"pid":9,"start_ticks":1,"boot_id":"b"}}"#,
        #"{"format":1,"node":"a@b","uses_long_names":false,"epmd_port":70000,"cookie":"x","process":{"pid":9,"start_ticks":1,"boot_id":"b"}}"#,
    ])
    func `what makes no sense is refused`(text: String) throws {
        let path = NodeRecord.path(in: folder.path)
        try Files.write(Array(text.utf8), path, mode: 0o600)
        #expect(NodeRecord.read(in: folder.path) == .refused("\(path) cannot be understood"))
        let found = try LocalDeployex.find(["DEPLOYEX_BASE_PATH": folder.path])
        #expect(found.record == nil && found.obstacle == "\(path) cannot be understood")
    }

    @Test(.enabled(if: geteuid() == 0, "root alone can give files away"))
    func `a file of a stranger is refused, and named`() throws {
        let left = try record()
        try left.write(in: folder.path, files: HostFileSystem())
        chown(NodeRecord.path(in: folder.path), 54_321, 54_321)
        guard case .refused(let text) = NodeRecord.read(in: folder.path) else {
            return #expect(Bool(false), "it is a stranger's")
        }
        #expect(text.contains("belongs to uid 54321"))
        let owners = TrustedUsers().adding(54_321)
        #expect(NodeRecord.read(in: folder.path, owners: owners) == .found(left))
    }

    @Test func `a command looks where the configuration, the variables or the defaults say`() throws
    {
        let file = folder.path + "/configuration.json"
        try Files.write(
            Array(#"{"base_path": "/srv/file", "applications": [{"name": "a"}]}"#.utf8), file,
            mode: 0o600)
        let without = folder.path + "/without.json"
        try Files.write(
            Array(#"{"cloud_environment": "prod", "applications": [{"name": "a"}]}"#.utf8), without,
            mode: 0o600)
        let cases: [([String: String], [String])] = [
            ([:], ["/var/lib/deployex", "/tmp/deployex/varlib"]),
            (["DEPLOYEX_CLOUD_ENVIRONMENT": "prod"], ["/var/lib/deployex"]),
            (
                ["DEPLOYEX_CLOUD_ENVIRONMENT": "prod", "DEPLOYEX_BASE_PATH": "/srv/dx/"],
                ["/srv/dx"]
            ),
            (["DEPLOYEX_CONFIG": file, "DEPLOYEX_BASE_PATH": "/srv/dx"], ["/srv/file"]),
            (["DEPLOYEX_CONFIG": without], ["/var/lib/deployex"]),
        ]
        for (environment, expected) in cases {
            let found = try LocalDeployex.bases(environment)
            #expect(found.bases == expected && found.problem == nil, "\(environment)")
        }
        let missing = try LocalDeployex.bases(["DEPLOYEX_CONFIG": folder.path + "/none"])
        #expect(missing.bases.count == 2 && missing.problem != nil)
    }

    @Test func `flags and variables win over what start has left`() throws {
        let local = LocalDeployex(
            base: "/srv", record: try record(tls: .init(optionsFile: "/etc/inet_tls.conf")),
            obstacle: nil)
        #expect(!local.hasEnded)
        #expect(
            local.completing(["PATH": "/bin"]) == ["PATH": "/bin", "ERL_EPMD_PORT": "5000"])
        #expect(local.completing(["ERL_EPMD_PORT": "1"]) == ["ERL_EPMD_PORT": "1"])
        let completed = local.completing(DistributionOptions())
        #expect(completed.usesTLS == true)
        #expect(completed.tlsOptionsFile == "/etc/inet_tls.conf")
        var plain = DistributionOptions()
        plain.usesTLS = false
        #expect(local.completing(plain) == plain)

        let folder = LocalDeployex(
            base: "/srv",
            record: try record("dx@server.example.com", tls: .init(certificateFolder: "/tls")),
            obstacle: nil)
        #expect(folder.completing([:])["DEPLOYEX_OTP_TLS_CERT_PATH"] == "/tls")
        #expect(folder.completing(DistributionOptions()).usesLongNames)
        var short = DistributionOptions()
        short.name = "mine"
        #expect(!folder.completing(short).usesLongNames)
        let none = LocalDeployex(base: "/srv", record: nil, obstacle: nil)
        #expect(none.completing([:]) == [:])
        #expect(none.completing(DistributionOptions()) == DistributionOptions())
    }

    @Test func `one that runs is found before one that has ended`() throws {
        let ended = try record(isRunning: false)
        try ended.write(in: folder.path, files: HostFileSystem())
        let found = try LocalDeployex.find(["DEPLOYEX_BASE_PATH": folder.path])
        #expect(found.record == ended)
        #expect(found.hasEnded)
    }

    @Test func `what one that has ended has left counts only for whoever has no cookie`() throws {
        let ended = LocalDeployex(
            base: folder.path, record: try record(isRunning: false), obstacle: nil)
        let running = LocalDeployex(base: folder.path, record: try record(), obstacle: nil)
        let cookie = folder(".erlang.cookie")
        let home = ["HOME": folder.path]
        func usable(_ local: LocalDeployex) -> NodeRecord? {
            local.usable(home, owners: TrustedUsers()).record
        }
        #expect(usable(ended) == ended.record)
        #expect(ended.usable([:], owners: TrustedUsers()).record == ended.record)
        try Files.write(Array("own".utf8), cookie, mode: 0o400)
        #expect(usable(ended) == nil)
        #expect(usable(running) == running.record)
        let connecting = ended.usable(home, owners: TrustedUsers())
        #expect(connecting.base == folder.path)
        #expect(connecting.completing([:]) == [:])
        #expect(connecting.completing(DistributionOptions()) == DistributionOptions())
        // Nobody takes a cookie that others can read.
        chmod(cookie, 0o644)
        #expect(usable(ended) == ended.record)
    }

    @Test func `the cookie comes from the first place that has one`() throws {
        let file = folder.path + "/cookie"
        try Files.write(Array("of-the-file\n".utf8), file, mode: 0o600)
        let home = folder.path + "/home"
        try Files.makeFolders(home)
        try Files.write(Array("of-the-home".utf8), home + "/.erlang.cookie", mode: 0o400)
        var flag = DistributionOptions()
        flag.cookie = "of-the-flag"
        let none = DistributionOptions()
        let all = [
            "DEPLOYEX_ERLANG_COOKIE": "of-the-variable", "DEPLOYEX_COOKIE_FILE": file, "HOME": home,
        ]
        func look(
            _ options: DistributionOptions, without names: [String] = [], recorded: String? = "left"
        ) throws -> String? {
            try Cookie.lookFor(
                options, environment: all.filter { !names.contains($0.key) }, recorded: recorded)
        }
        #expect(try look(flag) == "of-the-flag")
        #expect(try look(none) == "of-the-variable")
        #expect(try look(none, without: ["DEPLOYEX_ERLANG_COOKIE"]) == "of-the-file")
        let given = ["DEPLOYEX_ERLANG_COOKIE", "DEPLOYEX_COOKIE_FILE"]
        #expect(try look(none, without: given) == "left")
        #expect(try look(none, without: given, recorded: nil) == "of-the-home")
        #expect(try look(none, without: given + ["HOME"], recorded: nil) == nil)
        unlink(home + "/.erlang.cookie")
        #expect(try look(none, without: given, recorded: nil) == nil)
    }

    @Test func `start makes a cookie only where none is left, and takes what is given first`()
        throws
    {
        let left = NodeRecord.Finding.found(try record())
        let refused = NodeRecord.Finding.refused("node.json can be read by others")
        func start(
            _ left: NodeRecord.Finding, _ environment: [String: String] = [:]
        ) throws -> StartCookie {
            try StartCookie(DistributionOptions(), environment, file: nil, left: left)
        }
        let given = ["DEPLOYEX_ERLANG_COOKIE": "given"]
        for finding in [left, refused, .absent] {
            let cookie = try start(finding, given)
            #expect(cookie.text == "given" && cookie.origin == .given)
        }
        let same = try start(left, ["DEPLOYEX_ERLANG_COOKIE": "theirs"])
        #expect(same.text == "theirs" && same.origin == .given)
        let made = try start(.absent)
        #expect(made.text.count == 64 && made.origin == .made)

        try Files.write(Array("of-the-home".utf8), folder(".erlang.cookie"), mode: 0o400)
        let home = ["HOME": folder.path]
        for environment in [[:], home] {
            let taken = try start(left, environment)
            #expect(taken.text == "theirs" && taken.origin == .recorded)
            // The instances may have another one than ~/.erlang.cookie.
            let origin = try start(refused, environment).origin
            #expect(origin == .unreadable("node.json can be read by others"))
        }
        let own = try start(.absent, home)
        #expect(own.text == "of-the-home" && own.origin == .given)
    }

    @Test func `a cookie that is made is new each time, and strong`() {
        let cookies = Set((0..<100).map { _ in Cookie.random() })
        #expect(cookies.count == 100)
        for cookie in cookies {
            #expect(cookie.count == 64 && cookie.allSatisfy(\.isHexDigit))
            #expect(CookieStrength.weakness(of: cookie, names: ["counter"]) == nil)
        }
    }

    @Test(arguments: ["0123456789abcdef", "a/b+c==", "with-dashes_and.dots"])
    func `a shell finds the cookie in what start has left`(cookie: String) throws {
        let base = folder("b 'c")
        try Files.makeFolders(base)
        var left = try record(tls: .init(certificateFolder: "/tls"))
        left.cookie = cookie
        try left.write(in: base, files: HostFileSystem())
        let word = RemoteByHand.Cookie.record(NodeRecord.path(in: base)).text
        #expect(!word.contains(cookie))
        #expect(try ChildProcess.run("/bin/sh", ["-c", "printf %s \(word)"]) == cookie)
    }
}

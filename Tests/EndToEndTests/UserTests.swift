import FoundationEssentials
import Glibc
import TestKit
import Testing

/// An application that runs as a user of its own.
@Suite(.enabled(if: TestAccount.canBeMade, "only root starts programs as another user"))
struct UserTests {
    @Test func `it starts, crashes, upgrades, goes back and is taken over as its user`()
        async throws
    {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.bring(to: "0.1.1")
            let first = try await world.answers()[0]
            try await world.expectAll(of: first.osPID, belongTo: account)
            let environment = ProcFolder.environment(first.osPID)
            #expect(environment["USER"] == account.name && environment["LOGNAME"] == account.name)
            #expect(environment["HOME"] != world.folder + "/home")

            // A crash.
            await world.kill(first.osPID)
            let second = try await world.waitForAnswer(version: "0.1.1", otherThan: first.osPID)
            try await world.expectAll(of: second.osPID, belongTo: account)
            try await world.waitUntilAllRun("0.1.1")

            // A hot upgrade: the node itself writes into the release, and deployex beside it.
            _ = try await world.post("/increment")
            try await world.bring(to: "0.1.2")
            let upgraded = try await world.answers()[0]
            #expect(upgraded.osPID == second.osPID && upgraded.counter == 1)
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")
            #expect(upgraded.greeting == "hello from a test")

            // What it boots is the new version.
            await world.kill(upgraded.osPID)
            let third = try await world.waitForAnswer(version: "0.1.2", otherThan: second.osPID)
            try await world.waitUntilAllRun("0.1.2")

            let verified = try await world.command("verify", "1")
            #expect(verified.status == 0, "\(verified)")

            // Deployex goes, and the next one takes it over.
            #expect(try await world.endDeployex(SIGTERM) == 0)
            let mark = await world.logMark
            try await world.startDeployex()
            try await world.waitForLog(
                "Adopted instance: 1, monitoring OS process id = \(third.osPID)", after: mark)
            try await world.waitUntilAllRun("0.1.2")
            try await world.expectAll(of: third.osPID, belongTo: account)

            // Back in place, and on by a full deployment.
            let rollback = try await world.command("rollback")
            #expect(rollback.status == 0, "\(rollback)")
            try await world.waitUntilAllRun("0.1.1")
            try await world.bring(to: "0.2.0")
            let last = try await world.answers()[0]
            try await world.expectAll(of: last.osPID, belongTo: account)
            #expect(try await world.status(of: 1).lastDeployment == "full_deployment")

            let logs = try await world.command("logs", "1", "-n", "1000")
            #expect(logs.stdout.contains("counter 0.1.1 listens on"))
            #expect(logs.stdout.contains("counter 0.2.0 listens on"))
            let log = world.folder + "/log/counter/counter-1-stdout.log"
            #expect(
                FileOwner(log) == FileOwner(user: account.id, group: account.group, mode: 0o640))
            let errors = await world.log.split(separator: "\n").filter { $0.contains("[error]") }
            #expect(
                errors.filter { !$0.contains(" crashed (") && !$0.contains("is ghosted") } == [])
        }
    }

    @Test(arguments: ["log", "varlib"])
    func `what is removed is made again so that the user can come to it`(
        name: String
    ) async throws {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.bring(to: "0.1.0")
            let first = try await world.answers()[0].osPID
            try FileManager.default.removeItem(atPath: "\(world.folder)/\(name)")
            await world.kill(first)
            let second = try await world.waitForAnswer(version: "0.1.0", otherThan: first)
            try await world.waitUntilAllRun("0.1.0")
            try await world.expectAll(of: second.osPID, belongTo: account)
        }
    }

    @Test func `it may write where a release must, and read nothing that is not its own`()
        async throws
    {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.place("0.1.1")
            try await world.publish(
                catalog:
                    #"{"version":"0.1.1","hash":"local","pre_commands":["eval 'IO.puts(:os.cmd(~c\"id -u; id -G\"))'"]}"#
            )
            try await world.waitUntilAllRun("0.1.1")
            let ran = world.text(world.folder + "/log/counter/counter-pre-commands.log") ?? ""
            #expect(ran.contains("\(account.id)\n\(account.group)\n"))

            let own = FileOwner(user: account.id, group: account.group, mode: 0o755)
            for name in ["lib", "releases"] {
                #expect(FileOwner(world.service(1, "current/\(name)")) == own)
            }
            #expect(
                FileOwner(world.service(1, "current/tmp"))
                    == FileOwner(user: account.id, group: account.group, mode: 0o700))
            let ours = FileOwner(user: 0, group: account.group, mode: 0o755)
            for name in ["bin", "bin/counter", "erts-\(try await world.ertsVersion())"] {
                #expect(FileOwner(world.service(1, "current/\(name)")) == ours, "\(name)")
            }
            #expect(
                FileOwner(world.service(1, "current"))
                    == FileOwner(user: 0, group: account.group, mode: 0o750))

            // What the application itself can do, by its own node.
            let base = world.base
            for path in [
                "\(base)/run/counter-1.json", "\(base)/deployex.lock",
                "\(base)/version/counter/application.json",
                world.service(1, "current/.deployex.json"), world.logPath,
            ] {
                #expect(FileManager.default.fileExists(atPath: path), "\(path)")
                #expect(
                    try await world.asInstance("file:open(\"\(path)\", [read])") == "{error,eacces}"
                )
            }
            for path in [base, "\(base)/service", "\(base)/run", "\(base)/service/counter"] {
                #expect(
                    try await world.asInstance("file:list_dir(\"\(path)\")") == "{error,eacces}")
            }
            for path in [
                base, world.service(1), world.service(1, "current"),
                world.service(1, "current/bin"), world.folder + "/log/counter",
            ] {
                #expect(
                    try await world.asInstance("file:write_file(\"\(path)/planted\", <<>>)")
                        == "{error,eacces}")
            }
            // A crash dump has its place.
            _ = try await world.command("rpc", world.node(1), "erlang", "halt", #"["dumped"]"#)
            let dump = world.folder + "/log/counter/crash-dumps/counter-1-erl_crash.dump"
            try await world.wait("a crash dump") { FileOwner(dump)?.user == account.id }
        }
    }

    @Test func `what it plants in its release leads deployex to nothing else`() async throws {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.bring(to: "0.1.1")
            let pid = try await world.answers()[0].osPID
            // A folder of root's, whose file deployex would believe and copy beside the link.
            let releases = world.service(1, "current/releases")
            let secret = world.folder + "/secret"
            try FileManager.default.createDirectory(
                atPath: secret, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700])
            try #require(world.text(releases + "/0.1.1/counter.rel")).write(
                toFile: secret + "/counter.rel", atomically: true, encoding: .utf8)
            for call in [
                "file:delete(\"\(releases)/counter-0.1.1.rel\")",
                "file:rename(\"\(releases)/0.1.1\", \"\(releases)/elsewhere\")",
                "file:make_symlink(\"\(secret)\", \"\(releases)/0.1.1\")",
            ] {
                #expect(try await world.asInstance(call) == "ok")
            }
            try await world.publish("0.1.2")
            try await world.waitForLog(
                "full deployment required", "releases/0.1.1 belongs to \(account.name)")
            try await world.waitUntilAllRun("0.1.2")
            #expect(try await world.answers()[0].osPID != pid)
            let copy = world.service(1, "previous/releases/counter-0.1.1.rel")
            #expect(!FileManager.default.fileExists(atPath: copy))
            #expect(FileOwner(secret) == FileOwner(user: 0, group: 0, mode: 0o700))
        }
    }

    @Test func `what it makes unreadable keeps deployex from nothing`() async throws {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.bring(to: "0.1.1")
            let pid = try await world.answers()[0].osPID
            let data = world.service(1, "current/releases/start_erl.data")
            _ = try await world.asInstance("file:delete(\"\(data)\")")
            #expect(mkfifo(data, 0o666) == 0)
            _ = try await world.asInstance(
                "file:change_mode(\"\(world.service(1, "current/lib"))\", 0)")
            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex()
            let mark = await world.logMark
            try await world.waitForStatus("running")
            #expect(try await world.answers()[0].osPID == pid)
            try await world.publish("0.1.2")
            try await world.waitForLog(
                "full deployment required", "is not as in the running release", after: mark)
            try await world.waitUntilAllRun("0.1.2")
        }
    }

    @Test func `a base folder that it cannot come to is refused, with the remedy`() async throws {
        try await TestAccount.run { account in
            try await DeployexWorld.runWithoutSlot { world in
                let result = try await world.command(
                    ["start"], adding: ["DEPLOYEX_MONITORED_APP_USER": account.name])
                #expect(result.status == 2)
                #expect(
                    result.stderr.contains(
                        "(`chmod o+x \(world.folder)` helps): permission denied"),
                    "\(result)")
            }
        }
    }

    @Test func `a release that another user could change is not started`() async throws {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.bring(to: "0.1.1")
            let stop = try await world.command("stop", "--all")
            #expect(stop.status == 0)
            _ = try await world.waitForDeployex()
            // As it was when it had no user: root's own.
            let mark = await world.logMark
            try await world.startDeployex(adding: ["DEPLOYEX_MONITORED_APP_USER": "root"])
            try await world.waitForLog(
                "releases belongs to \(account.name) (uid \(account.id)), who can change it",
                after: mark)
            #expect(await world.answer(1) == nil)
        }
    }

    @Test func `a release that was root's becomes the user's when it has one`() async throws {
        try await TestAccount.run { account in
            try await DeployexWorld.run(.init(epmd: .deployex)) { world in
                chmod(world.folder, 0o711)
                try await world.bring(to: "0.1.1")
                let before = try await world.answers()[0].osPID
                #expect(try await world.endDeployex(SIGTERM) == 0)
                try await world.startDeployex(
                    adding: ["DEPLOYEX_MONITORED_APP_USER": account.name])
                try await world.waitUntilAllRun("0.1.1")
                #expect(try await world.answers()[0].osPID == before)
                let restart = try await world.command("restart", "1")
                #expect(restart.status == 0, "\(restart)")
                try await world.waitUntilAllRun("0.1.1")
                try await world.expectAll(of: world.answers()[0].osPID, belongTo: account)
            }
        }
    }

    @Test func `remote is the user's, too`() async throws {
        try await DeployexWorld.run(as: ()) { world, account in
            try await world.bring(to: "0.1.1")
            try await world.expectRemoteShell(of: account)
        }
    }

    @Test func `remote of a service user's deployex is that user's, and gets nothing of root's`()
        async throws
    {
        try await TestAccount.run { account in
            let options = DeployexWorld.Options(
                epmd: .deployex, variables: ["DEPLOYEX_TRUSTED_USERS": account.name])
            try await DeployexWorld.run(options, isStarted: false) { world in
                chmod(world.folder, 0o711)
                mkdir(world.base, 0o700)
                for path in [world.base, world.folder + "/log"] {
                    #expect(chown(path, account.id, account.group) == 0)
                }
                try await world.startEPMD()
                try await world.startDeployex(
                    through: [
                        ThisHost.find("setpriv"), "--reuid=\(account.id)",
                        "--regid=\(account.group)",
                        "--clear-groups",
                    ])
                try await world.bring(to: "0.1.1")
                try await world.expectRemoteShell(of: account)
            }
        }
    }
}

/// Who may do what with a file.
struct FileOwner: Equatable {
    var user: uid_t
    var group: gid_t
    var mode: mode_t

    init(user: uid_t, group: gid_t, mode: mode_t) {
        (self.user, self.group, self.mode) = (user, group, mode)
    }

    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.init(
            user: status.st_uid, group: status.st_gid, mode: status.st_mode & 0o7777)
    }
}

extension DeployexWorld {
    /// A world whose application runs as a user made for it.
    fileprivate static func run(
        as _: Void, _ body: @Sendable (DeployexWorld, TestAccount) async throws -> Void
    ) async throws {
        try await TestAccount.run { account in
            let options = Options(
                epmd: .deployex, variables: ["DEPLOYEX_MONITORED_APP_USER": account.name])
            try await run(options, isStarted: false) { world in
                chmod(world.folder, 0o711)
                try await world.start()
                try await body(world, account)
            }
        }
    }

    /// Whether a process and all that it has started have the account's ids and groups alone.
    fileprivate func expectAll(of pid: pid_t, belongTo account: TestAccount) throws {
        for pid in [pid] + ProcFolder.descendants(pid) {
            let status = text("/proc/\(pid)/status") ?? ""
            let ids = { (id: UInt32) in Array(repeating: "\(id)", count: 4).joined(separator: "\t")
            }
            #expect(status.contains("Uid:\t\(ids(account.id))\n"), "\(status)")
            #expect(status.contains("Gid:\t\(ids(account.group))\n"), "\(status)")
            #expect(status.contains("Groups:\t\(account.group) \n"), "\(status)")
        }
    }

    /// Runs `deployex remote 1` on a terminal, as root with an agent, and looks at what it becomes.
    fileprivate func expectRemoteShell(of account: TestAccount) throws {
        let script = """
            import os, pty, select, sys, time
            pid, terminal = pty.fork()
            if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
            text = b''
            end = time.time() + 30
            while b'iex(counter-1@' not in text:
                if time.time() > end: sys.exit('%r' % text)
                if select.select([terminal], [], [], 0.2)[0]: text += os.read(terminal, 4096)
            print([line for line in open('/proc/%d/status' % pid) if line[:4] == 'Uid:'])
            variables = open('/proc/%d/environ' % pid, 'rb').read().split(b'\\0')
            print([v for v in variables if v[:3] in (b'SSH', b'AWS', b'TER')])
            os.write(terminal, b'\\x1c')
            try:
                while os.read(terminal, 4096): pass
            except OSError: pass
            os.waitpid(pid, 0)
            """
        let roots = ["TERM": "xterm", "SSH_AUTH_SOCK": "/tmp/agent", "AWS_PROFILE": "root"]
        let result = try run(
            ThisHost.find("python3"), ["-c", script, BuiltProgram.deployex, "remote", "1"],
            environment: variables.merging(roots) { $1 }, timeout: .seconds(60))
        let id = account.id
        #expect(
            result.stdout
                == "['Uid:\\t\(id)\\t\(id)\\t\(id)\\t\(id)\\n']\n[b'TERM=xterm']\n", "\(result)")
    }

    fileprivate func waitForStatus(_ wanted: String) throws {
        try wait("instance 1 to be \(wanted)") { try status(of: 1).status == wanted }
    }

    /// What an expression gives when instance 1 evaluates it.
    fileprivate func asInstance(_ expression: String) throws -> String {
        let parts = expression.split(separator: "(", maxSplits: 1)
        let names = parts[0].split(separator: ":")
        let result = try command(
            "rpc", node(1), String(names[0]), String(names[1]), "[" + parts[1].dropLast() + "]")
        return result.stdout.trimmed
    }

    fileprivate func ertsVersion() throws -> String {
        text(service(1, "current/releases/start_erl.data"))?
            .split(separator: " ").first.map(String.init) ?? ""
    }
}

extension String {
    fileprivate var trimmed: String {
        String(self.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}

import CLinux
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

@Suite struct ControlGroupPathTests {
    @Test(arguments: [
        ("0::/\n", "/"),
        (
            "9:name=systemd:/init\n0::/system.slice/deployex.service\n",
            "/system.slice/deployex.service"
        ),
        ("0::/a:b\n1:cpu:/\n", "/a:b"),
        ("1:cpu:/\n", nil),
        ("10::/x\n", nil),
        ("0::\n", nil),
        ("", nil),
    ])
    func `the path is that of version 2`(text: String, path: String?) {
        #expect(ControlGroupPath.parse(Array(text.utf8)) == path)
    }

    private static let plain =
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"

    @Test(arguments: [
        ("/", plain, ["/sys/fs/cgroup/unified"]),
        ("/a/b", plain, ["/sys/fs/cgroup/unified/a/b"]),
        // The older groups, and lines that are cut.
        ("/a", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", []),
        ("/a", "41 31 0:38 / /sys/fs/cgroup rw - cgr", []),
        ("/a", "41 31 0:38 /\n", []),
        // Optional fields, and a blank in the path.
        ("/a", "41 31 0:38 / /c\\040g rw shared:9 master:1 - cgroup2 x rw\n", ["/c g/a"]),
        // Only a part of the hierarchy is mounted.
        ("/x/y", "41 31 0:38 /x /cg rw - cgroup2 x rw\n", ["/cg/y"]),
        ("/x", "41 31 0:38 /x /cg rw - cgroup2 x rw\n", ["/cg"]),
        ("/xy", "41 31 0:38 /x /cg rw - cgroup2 x rw\n", []),
        ("/a", "41 31 0:38 /.. /cg rw - cgroup2 x rw\n" + plain, ["/sys/fs/cgroup/unified/a"]),
    ])
    func `the folder is where the hierarchy is mounted`(
        path: String, mounts: String, folders: [String]
    ) {
        #expect(ControlGroupPath.folders(of: path, mounts: Array(mounts.utf8)) == folders)
    }

    @Test func `a group's name tells the instance and its base folder, and is safe as a name`() {
        let name = ControlGroups.name(marked: "/var/lib/deployex/service/shop/1")
        #expect(name == "deployex-shop-1-00306e9c0e6a3caf")
        #expect(name != ControlGroups.name(marked: "/tmp/deployex/varlib/service/shop/1"))
        #expect(ControlGroups.name(marked: "/b/service/a.b\nü/1").hasPrefix("deployex-a_b___-1-"))
        #expect(ControlGroups.name(marked: String(repeating: "x", count: 999)).utf8.count < 130)
        #expect(ControlGroups.name(marked: "").hasPrefix("deployex--"))
    }
}

@Suite struct LeftGroupTests {
    @Test func `the group of an instance that has ended unwatched goes, if nothing is in it`()
        async throws
    {
        // The kernel removes groups as it removes folders: nothing may be in them.
        let folder = TemporaryFolder()
        let groups = ControlGroups(path: "/", folder: folder.path)
        let gone = ProcessIdentity(
            pid: Int32.max, startTicks: 1, bootID: ProcessIdentity.currentBootID)
        let (empty, full) = ("/b/service/shop/1", "/b/service/shop/2")
        try Files.makeFolders(groups.group(marked: empty).folder)
        try Files.makeFolders(groups.group(marked: full).folder + "/below")
        for (number, mark) in [(1, empty), (2, full)] {
            let record = InstanceRecord(
                name: InstanceName(app: "shop", number: InstanceNumber(number)), process: gone)
            let leftover = LeftoverInstance(record, folder: mark, owners: TrustedUsers())
            let found = try await Starter().stop(leftover, groups: groups)
            #expect(found.parts.isEmpty)
        }
        #expect(!Files.exists(groups.group(marked: empty).folder))
        #expect(Files.exists(groups.group(marked: full).folder))
    }
}

@Suite(.enabled(if: TestControlGroup.isPossible, "\(TestControlGroup.reason)"))
struct ControlGroupTests {
    let folder = TemporaryFolder()
    let starter: Starter
    let above: TestControlGroup
    let groups: ControlGroups

    init() throws {
        starter = try Starter()
        above = try TestControlGroup(isDelegated: true)
        groups = ControlGroups(path: above.path, folder: above.folder)
    }

    private func program(_ script: String) -> Program {
        Program(
            path: "/bin/sh", arguments: ["-c", script],
            environment: ["PATH": "/usr/bin:/bin", Orphans.variable: "/b/service/shop/1"],
            folder: folder.path, stdoutPath: folder("out.log"), stderrPath: folder("err.log"))
    }

    /// The identity of a process whose pid a script has written into a file.
    private func process(in name: String) async throws -> ProcessIdentity {
        var identity: ProcessIdentity?
        try await eventually {
            identity = folder.text(name).flatMap { text in
                text.hasSuffix("\n") ? Int32(text.dropLast()) : nil
            }.flatMap { ProcessIdentity.ofRunning(pid: $0) }
            return identity != nil
        }
        return try #require(identity)
    }

    @Test func `a group is taken for ours only if it is marked as delegated`() throws {
        #expect(clinux_is_delegated_group(above.folder) == 1)
        let unmarked = try TestControlGroup(isDelegated: false)
        #expect(clinux_is_delegated_group(unmarked.folder) == 0)
        #expect(clinux_is_delegated_group(folder.path) == 0)
        #expect(clinux_is_delegated_group("/nowhere") == 0)
    }

    @Test func `what has left the session and lost its parent ends with the session`()
        async throws
    {
        try await starter.start(
            program("setsid sh -c 'sleep 601 & echo $! > daemon'; exec sleep 600"), groups: groups)
        let daemon = try await process(in: "daemon")
        #expect(above.children.count == 1)
        await starter.terminate()
        #expect(try await starter.allEvents() == [.exited(.signal(SIGTERM)), .ended(survivors: 0)])
        #expect(!daemon.isRunning)
        #expect(above.children == [])
    }

    @Test func `a process that was taken over has its group, also for what leaves later`()
        async throws
    {
        let identity = try await starter.start(
            program(
                """
                (while [ ! -e go ]; do sleep 0.01; done
                 setsid sh -c 'sleep 601 & echo $! > daemon') &
                exec sleep 600
                """), groups: groups)
        let second = try Starter()
        #expect(try await second.adopt(identity, groups: groups))
        folder.write("", "go")
        let daemon = try await process(in: "daemon")
        await second.terminate()
        #expect(try await second.allEvents() == [.exited(.unknown), .ended(survivors: 0)])
        #expect(!daemon.isRunning)
        #expect(above.children == [])
    }

    @Test func `what is left in the group of an ended instance is found and stopped`()
        async throws
    {
        // As if nobody had watched the instance.
        let group = groups.group(marked: "/b/service/shop/1")
        let child = try ChildProcess("sleep", ["600"])
        try group.join(child.pid)
        let gone = ProcessIdentity(
            pid: child.pid, startTicks: 1, bootID: ProcessIdentity.currentBootID)
        let record = InstanceRecord(
            name: InstanceName(app: "shop", number: InstanceNumber(1)), process: gone)
        let leftover = LeftoverInstance(
            record, folder: "/b/service/shop/1", owners: TrustedUsers())
        let found = try await starter.stop(leftover, groups: groups)
        #expect(found.running.map(\.pid) == [child.pid])
        #expect(found.parts.map(\.identity.pid) == [child.pid])
        #expect(found.parts.map(\.outcome) == [.stopped(killed: false)])
        #expect(found.parts.map(\.isLeader) == [false])
    }

    @Test func `an EPMD in the group is left alone`() async throws {
        try await starter.start(
            program("cp /bin/sleep epmd; setsid ./epmd 600 & echo $! > daemon; sleep 600"),
            groups: groups)
        let daemon = try await process(in: "daemon")
        try await eventually { ProcessStatus.ofProcess(daemon.pid)?.name == "epmd" }
        let group = groups.group(marked: "/b/service/shop/1")
        #expect(!group.members().contains { $0.identity.pid == daemon.pid })
        let names = group.members().compactMap { ProcessStatus.ofProcess($0.identity.pid)?.name }
        #expect(!names.isEmpty && !names.contains("epmd"))
        kill(daemon.pid, SIGKILL)
        await starter.killSession()
        _ = try await starter.allEvents()
    }

    @Test func `a process elsewhere has no group of ours`() throws {
        #expect(groups.group(of: getpid()) == nil)
        let child = try ChildProcess("sleep", ["600"])
        #expect(groups.group(of: child.pid) == nil)
        // In deployex's own group, as a pre-command is.
        try ControlGroup(folder: above.folder).join(child.pid)
        #expect(groups.group(of: child.pid) == nil)
        try groups.group(marked: "/b/service/shop/2").join(child.pid)
        #expect(groups.group(of: child.pid) == groups.group(marked: "/b/service/shop/2"))
        child.kill()
    }

    @Test func `an instance without a group starts all the same, and the log says so`()
        async throws
    {
        let missing = ControlGroups(path: "/gone", folder: above.folder + "/gone")
        try await starter.start(program("exit 3"), groups: missing)
        #expect(try await starter.allEvents() == [.exited(.code(3)), .ended(survivors: 0)])
        let texts = await starter.warnings
        #expect(texts.count == 1)
        #expect(texts.first?.contains("no such file or directory: what leaves its session") == true)
    }
}

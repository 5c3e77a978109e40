import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import Supervisor

/// As whom and with what a program runs, as the kernel shows it.
@Suite struct ProcessSettingTests {
    let folder = TemporaryFolder()
    let starter: Starter

    init() throws {
        starter = try Starter()
    }

    /// A user without an account, who is in two groups.
    static let stranger = ProcessUser(
        name: "stranger", id: 54_321, group: 54_322, groups: [54_322, 54_323], home: "/nowhere")

    func shell(_ script: String, _ setting: ProcessSetting, in place: String? = nil) -> Program {
        Program(
            path: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            folder: place ?? folder.path, stdoutPath: folder("out.log"),
            stderrPath: folder("err.log"), setting: setting)
    }

    /// What a script prints that runs with a setting to its end.
    func output(
        of script: String, _ setting: ProcessSetting, in place: String? = nil
    ) async throws -> [String] {
        try await starter.start(shell(script, setting, in: place))
        _ = try await starter.allEvents()
        #expect(folder.text("err.log") == "")
        return (folder.text("out.log") ?? "").split(separator: "\n").map(String.init)
    }

    // MARK: The user

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `a program has the ids and groups of its user and no others`() async throws {
        chmod(folder.path, 0o711)
        let lines = try await output(
            of: "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapInh|CapAmb):' /proc/self/status",
            ProcessSetting(user: Self.stranger))
        let words = lines.map { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
        #expect(
            words == [
                ["Uid:", "54321", "54321", "54321", "54321"],
                ["Gid:", "54322", "54322", "54322", "54322"],
                ["Groups:", "54322", "54323"],
                ["CapInh:", "0000000000000000"], ["CapPrm:", "0000000000000000"],
                ["CapEff:", "0000000000000000"], ["CapAmb:", "0000000000000000"],
            ])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `a program of another user cannot have root back`() async throws {
        chmod(folder.path, 0o711)
        let script = """
            python3 - <<'END'
            import os
            for call in [lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setresuid(0, 0, 0),
                         lambda: os.setresuid(-1, 0, -1), lambda: os.setgid(0),
                         lambda: os.setegid(0), lambda: os.setgroups([0])]:
                try:
                    call()
                    print("root")
                except PermissionError:
                    print("refused")
            END
            """
        let lines = try await output(of: script, ProcessSetting(user: Self.stranger))
        #expect(lines == Array(repeating: "refused", count: 7))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `its logs are its user's, so that it can open them again`() async throws {
        chmod(folder.path, 0o711)
        let lines = try await output(
            of: "echo again >> /dev/stdout; stat -L -c '%u %g %a' /proc/self/fd/1",
            ProcessSetting(user: Self.stranger))
        #expect(lines == ["again", "54321 54322 640"])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `the folder is entered with the user's rights`() async throws {
        chmod(folder.path, 0o700)
        await #expect(
            throws: SpawnError("entering \(folder.path) as stranger: permission denied")
        ) {
            try await starter.start(shell("true", ProcessSetting(user: Self.stranger)))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func `what keeps it from becoming its user is told, and it does not run`() async throws {
        chmod(folder.path, 0o711)
        var user = Self.stranger
        // More than a process may have.
        user.groups = Array(repeating: 1, count: 70_000)
        await #expect(throws: SpawnError("becoming stranger for /bin/sh: invalid argument")) {
            try await starter.start(shell("echo > ran", ProcessSetting(user: user)))
        }
        #expect(folder.text("ran") == nil)
    }

    @Test(.enabled(if: geteuid() != 0, "an ordinary user is needed"))
    func `nobody but root starts programs as another user`() async throws {
        await #expect(
            throws: SpawnError(
                "starting /bin/sh: giving stranger its log: operation not permitted")
        ) {
            try await starter.start(shell("true", ProcessSetting(user: Self.stranger)))
        }
    }

    // MARK: Limits and descriptors

    @Test func `files that a program makes have the umask that it was given`() async throws {
        let lines = try await output(
            of: "umask; : > made; mkdir folder; stat -c %a made folder",
            ProcessSetting(umask: 0o002))
        #expect(lines == ["0002", "664", "775"])
    }

    @Test func `a program has the limits that it was given, not ours`() async throws {
        let hard = try #require(ResourceLimit.current(.descriptors)?.hard)
        let lines = try await output(
            of: "ulimit -S -n; ulimit -H -n; ulimit -S -c",
            ProcessSetting(
                descriptorLimit: ResourceLimit(soft: 321, hard: hard),
                coreLimit: ResourceLimit(soft: 0)))
        #expect(lines == ["321", "\(hard)", "0"])
    }

    @Test func `a hard limit that somebody has lowered is the most that a program gets`()
        async throws
    {
        let hard = try #require(ResourceLimit.current(.descriptors)?.hard)
        let lines = try await output(
            of: "ulimit -S -n; ulimit -H -n",
            ProcessSetting(descriptorLimit: ResourceLimit(soft: hard + 1)))
        #expect(lines == ["\(hard)", "\(hard)"])
    }

    @Test func `a limit above the hard one is refused, in words`() async throws {
        await #expect(throws: SpawnError("setting the limits of /bin/sh: invalid argument")) {
            try await starter.start(
                shell("true", ProcessSetting(descriptorLimit: ResourceLimit(soft: 9, hard: 5))))
        }
    }

    @Test func `passed descriptors have their numbers, and no other one of ours is there`()
        async throws
    {
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let (one, two) = (folder("one"), folder("two"))
        let sources = ([one, two] as [String]).map { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        defer { for source in sources { close(source) } }
        // The gate, 3 otherwise, is above them; the numbers between are free.
        for targets: [Int32] in [[3, 4], [4, 3], [5, 12], [200, 10]] {
            let setting = ProcessSetting(
                passed: zip(sources, targets).map { .init(source: $0, target: $1) })
            let identity = try await starter.start(
                Program(
                    path: "/bin/sleep", arguments: ["60"], environment: [:], folder: folder.path,
                    stdoutPath: folder("out.log"), stderrPath: folder("err.log"),
                    setting: setting))
            let path = "/proc/\(identity.pid)/fd"
            // Until the program has loaded its libraries it has others for moments.
            try await eventually("the descriptors \(targets)") {
                let found = try? FileManager.default.contentsOfDirectory(atPath: path)
                    .compactMap { Int32($0) }.sorted()
                return found == [0, 1, 2] + targets.sorted()
            }
            for (target, wanted) in zip(targets, [one, two] as [String]) {
                let link = try FileManager.default
                    .destinationOfSymbolicLink(atPath: "\(path)/\(target)")
                #expect(link == wanted)
            }
            await starter.killSession()
            _ = try await starter.allEvents()
        }
    }

    @Test(arguments: [0, 2, 256, -1])
    func `a number that is not to be had is refused`(target: Int32) async throws {
        let setting = ProcessSetting(passed: [.init(source: 0, target: target)])
        await #expect(throws: SpawnError("starting /bin/sh: invalid argument")) {
            try await starter.start(shell("true", setting))
        }
    }

    @Test(
        arguments: [
            (nil, 1_048_576, 65_536, nil), (nil, 4096, 65_536, nil), (1000, 4096, 1000, nil),
            (100_000, 4096, 100_000, 100_000),
        ] as [(UInt64?, UInt64, UInt64, UInt64?)])
    func `an instance has 65,536 descriptors, or what is configured`(
        wanted: UInt64?, hard: UInt64, soft: UInt64, newHard: UInt64?
    ) {
        #expect(
            DescriptorAllowance.limit(wanted: wanted, hard: hard)
                == ResourceLimit(soft: soft, hard: newHard))
    }
}

import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What another user of the host prepares, and what deployex makes of it.
@Suite struct StrangersFilesTests {
    /// A number that nobody has.
    private static let stranger: uid_t = 54321
    private static let needsRoot: Comment = "only root can give files away"

    private func expectRefused(
        _ world: DeployexWorld, adding variables: [String: String] = [:], _ words: String...
    ) async throws {
        let result = try await world.command(
            "start", adding: ["DEPLOYEX_MONITORED_REPLICAS": "1"].merging(variables) { $1 })
        #expect(result.status == 2)
        #expect(result.stderr.count { $0 == "\n" } == 1, "\(result.stderr)")
        for word in words { #expect(result.stderr.contains(word), "\(result.stderr)") }
        #expect(!FileManager.default.fileExists(atPath: world.base + "/deployex.lock"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: world.folder + "/log") == [])
        #expect(!FreePorts.isListening(world.epmdPort))
    }

    /// A sticky folder that everyone can write to, as /tmp.
    private func shared(_ world: DeployexWorld) -> String {
        let path = world.folder + "/tmp"
        mkdir(path, 0o777)
        chmod(path, 0o1777)
        return path
    }

    @Test(.enabled(if: geteuid() == 0, needsRoot))
    func `a base folder below another user's is refused before anything is touched`() async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let his = shared(world) + "/deployex"
            mkdir(his, 0o755)
            chown(his, Self.stranger, Self.stranger)
            let base = ["DEPLOYEX_BASE_PATH": his + "/varlib"]
            try await expectRefused(
                world, adding: base, his, "uid 54321", "DEPLOYEX_BASE_PATH")
            // A forged record and all the rest in a folder that looks like ours.
            mkdir(his + "/varlib", 0o700)
            try await expectRefused(world, adding: base, his, "uid 54321")
            #expect(try FileManager.default.contentsOfDirectory(atPath: his) == ["varlib"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: his + "/varlib") == [])
            // A link of his to a folder of ours.
            rename(his, shared(world) + "/moved")
            symlink(world.folder + "/home", his)
            lchown(his, Self.stranger, Self.stranger)
            try await expectRefused(world, adding: base, his, "uid 54321")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: world.folder + "/home") == [])
        }
    }

    @Test(
        .enabled(if: geteuid() == 0, needsRoot),
        arguments: [
            "DEPLOYEX_STORAGE_PATH", "DEPLOYEX_LOG_PATH",
        ])
    func `another user's storage or log folder is refused, unless he is trusted`(
        variable: String
    ) async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let his = shared(world) + "/counter"
            mkdir(his, 0o755)
            chown(his, Self.stranger, Self.stranger)
            try await expectRefused(
                world, adding: [variable: his], his, "uid 54321", variable,
                "name 54321 in DEPLOYEX_TRUSTED_USERS")
            // Trusted, it comes further: to a port that is no port.
            let trusting = try await world.command(
                "start",
                adding: [
                    variable: his, "DEPLOYEX_TRUSTED_USERS": "54321",
                    "DEPLOYEX_DIST_INTERFACE": "192.0.2.1",
                ])
            #expect(trusting.stderr.contains("192.0.2.1"), "\(trusting.stderr)")
        }
    }

    @Test(
        arguments: [
            ("cookie", 0o644, "can be read by everyone"), ("cookie", 0o620, ""),
            ("inet_tls.conf", 0o666, "can be written to by everyone"),
            ("configuration.json", 0o602, "can be written to by everyone"),
        ] as [(String, mode_t, String)])
    func `files that others can read or write to are refused`(
        name: String, mode: mode_t, problem: String
    ) async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let path = world.folder + "/" + name
            try "[{server,[]},{client,[]}].".write(
                toFile: path, atomically: true, encoding: .utf8)
            chmod(path, mode)
            if mode & 0o070 != 0, geteuid() == 0 { chown(path, 0, 54322) }
            guard mode & 0o007 != 0 || geteuid() == 0 else { return }
            try await expectRefused(world, adding: Self.variables(name, path), path, problem)
        }
    }

    @Test(
        .enabled(if: geteuid() == 0, needsRoot),
        arguments: ["cookie", "inet_tls.conf", "configuration.json"])
    func `files of another user are refused`(name: String) async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let path = shared(world) + "/" + name
            try "[{server,[]},{client,[]}].".write(
                toFile: path, atomically: true, encoding: .utf8)
            chmod(path, 0o600)
            chown(path, Self.stranger, Self.stranger)
            try await expectRefused(
                world, adding: Self.variables(name, path), path, "uid 54321")
        }
    }

    private static func variables(_ name: String, _ path: String) -> [String: String] {
        switch name {
        case "cookie": ["DEPLOYEX_ERLANG_COOKIE": "", "DEPLOYEX_COOKIE_FILE": path]
        case "configuration.json":
            [
                "DEPLOYEX_CONFIG": path, "DEPLOYEX_MONITORED_REPLICAS": "",
                "DEPLOYEX_MONITORED_APP_NAME": "", "DEPLOYEX_MONITORED_APP_PORT": "",
                "DEPLOYEX_STORAGE_PATH": "", "DEPLOYEX_POLL_INTERVAL": "",
                "DEPLOYEX_STOP_TIMEOUT": "",
            ]
        default:
            ["ELIXIR_ERL_OPTIONS": "-proto_dist inet_tls -ssl_dist_optfile \(path)"]
        }
    }

    @Test(.enabled(if: geteuid() == 0, needsRoot))
    func `with several applications the one with a stranger's storage is failed, the others go on`()
        async throws
    {
        let options = DeployexWorld.Options(
            epmd: .deployex,
            configuration: { world in
                """
                {"applications": [
                  {"name": "counter", "replicas": 1, "first_port": \(world.firstPort),
                   "storage": {"path": "\(world.storage)"},
                   "timings": {"poll_interval": 0.5, "stop_timeout": 8}},
                  {"name": "pages", "replicas": 2, "first_port": \(world.extraPort),
                   "storage": {"path": "\(world.folder)/his"}}
                ]}
                """
            }, extraPorts: 2)
        try await DeployexWorld.run(options, isStarted: false) { world in
            let his = world.folder + "/his"
            mkdir(his, 0o755)
            chown(his, Self.stranger, Self.stranger)
            try await world.publish("0.1.0")
            try await world.start()
            try await world.waitUntilFirstRuns()
            let status = try #require(try await world.status())
            let pages = try #require(status.apps.first { $0.name == "pages" })
            #expect(pages.instances.map(\.status) == ["failed", "failed"])
            #expect(pages.problem?.contains("\(his) belongs to uid 54321") == true)
            let table = try await world.command("status")
            #expect(table.stdout.contains("problem: \(his) belongs to uid 54321"))
            let command = try await world.command("restart", "pages-1")
            #expect(command.status == 1)
            #expect(command.stderr.contains("pages is failed: \(his) belongs to uid 54321"))
        }
    }

    @Test(.enabled(if: geteuid() == 0, needsRoot))
    func `a storage folder that becomes a stranger's is not read any more, and nothing stops`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.publish("0.1.0")
            try await world.waitUntilAllRun("0.1.0")
            let before = try await world.status(of: 1)
            chown(world.storage, Self.stranger, Self.stranger)
            try await world.publish("0.1.1")
            try await world.waitForProblem("uid 54321")
            #expect(try await world.status(of: 1).osPid == before.osPid)
            chown(world.storage, 0, 0)
            try await world.waitUntilAllRun("0.1.1")
        }
    }

    @Test
    func `a link in a log's place is named and not followed, and no obstacle once it is gone`()
        async throws
    {
        try await DeployexWorld.run { world in
            let log = world.folder + "/log/counter/counter-1-stdout.log"
            let target = world.folder + "/target"
            try "kept".write(toFile: target, atomically: true, encoding: .utf8)
            symlink(target, log)
            try await world.publish("0.1.0")
            try await world.waitForLog(log, "is a symbolic link")
            let shown = try await world.command("logs", "counter-1")
            #expect(shown.status == 1)
            #expect(shown.stderr.contains("\(log) is a symbolic link"))
            unlink(log)
            try await world.waitUntilAllRun("0.1.0")
            #expect(world.text(target) == "kept")
        }
    }
}

extension DeployexWorld {
    fileprivate func waitForProblem(_ words: String) throws {
        try wait("a problem with \(words)") {
            try status()?.apps.first?.problem?.contains(words) == true
        }
    }

    fileprivate func waitUntilFirstRuns() throws {
        try wait("the first application to run") {
            try status()?.apps.first?.instances.first?.status == "running"
        }
    }
}

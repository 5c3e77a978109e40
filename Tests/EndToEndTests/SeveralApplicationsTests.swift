import FoundationEssentials
import Glibc
import TestKit
import Testing

/// The example and a program that is no Erlang node at all, configured by one file.
@Suite struct SeveralApplicationsTests {
    private static let options = options("")

    /// - Parameter members: further ones of `counter`.
    private static func options(_ members: String) -> DeployexWorld.Options {
        DeployexWorld.Options(
            epmd: .deployex,
            configuration: { world in
                """
                {
                  "applications": [
                    {"name": "counter", "replicas": 1, "first_port": \(world.firstPort),\(members)
                     "environment": {"GREETING": "hello from a file"},
                     "storage": {"path": "\(world.storage)"},
                     "timings": {"poll_interval": 0.5, "stop_timeout": 8},
                     "readiness": {"http_path": "/"}},
                    {"name": "pages", "replicas": 2, "first_port": \(world.extraPort),
                     "environment": {"GREETING": "pages"},
                     "storage": {"path": "\(world.storage)"},
                     "timings": {"poll_interval": 0.5, "stop_timeout": 2},
                     "readiness": {"distribution": false, "alive_seconds": 0.5, "http_path": "/"}}
                  ]
                }
                """
            }, extraPorts: 2)
    }

    @Test func `what is no log folder keeps its own application from beginning, and no other`()
        async throws
    {
        try await DeployexWorld.run(Self.options, isStarted: false) { world in
            try Files.write([], world.folder + "/log/pages")
            try await world.publish("0.1.0")
            try await world.start()
            try await world.waitForApplication("counter", "0.1.0")
            let pages = try await world.application("pages")
            #expect(pages.problem?.contains("/log/pages") == true, "\(pages)")
        }
    }

    @Test func `two applications are deployed, controlled and stopped, each by its name`()
        async throws
    {
        try await DeployexWorld.run(Self.options) { world in
            try await world.placePages("1.0.0")
            try await world.publish("0.1.0")
            try await world.waitForApplication("counter", "0.1.0")
            try await world.waitForApplication("pages", "1.0.0")
            let counter = try #require(await world.answer(1))
            #expect(counter.greeting == "hello from a file")
            for port in [world.extraPort, world.extraPort + 1] {
                #expect(FreePorts.isListening(port))
            }
            let log = await world.log
            #expect(log.contains("[info] counter: Application instance: 1 is running"))
            #expect(log.contains("[info] pages: Application instance: 2 is running"))

            // A number alone could be either's.
            let unclear = try await world.command("restart", "1")
            #expect(unclear.status == 1)
            #expect(
                unclear.stderr
                    == "deployex: there are several applications: name one of counter, pages\n")
            let pages = try await world.application("pages")
            let byName = try await world.command("restart", "pages-2")
            #expect(byName.status == 0, "\(byName)")
            let byOption = try await world.command("restart", "1", "--app", "pages")
            #expect(byOption.status == 0, "\(byOption)")
            let after = try await world.application("pages")
            #expect(
                Set(after.instances.map(\.osPid)).isDisjoint(with: pages.instances.map(\.osPid)))
            #expect(await world.answer(1)?.osPID == counter.osPID)

            // One application's version is no matter of the other's.
            try await world.placePages("1.1.0")
            try await world.waitForApplication("pages", "1.1.0")
            #expect(try await world.application("counter").targetVersion == "0.1.0")
            #expect(await world.answer(1)?.osPID == counter.osPID)
            let versions = try await world.command("versions", "--app", "pages")
            #expect(versions.stdout.contains("1.1.0"))
            #expect(!versions.stdout.contains("counter"))

            // Each lands in its own place.
            let files = FileManager.default
            #expect(files.fileExists(atPath: world.base + "/version/pages/2/current.json"))
            #expect(files.fileExists(atPath: world.base + "/version/counter/1/current.json"))
            #expect(files.fileExists(atPath: world.folder + "/log/pages/pages-2-stdout.log"))

            // Both are taken over by the next deployex, and ended by one command.
            let pids = try await world.status()?.instances.compactMap(\.osPid) ?? []
            #expect(pids.count == 3)
            #expect(try await world.endDeployex(SIGTERM) == 0)
            try await world.startDeployex()
            try await world.waitForApplication("pages", "1.1.0")
            try await world.waitForApplication("counter", "0.1.0")
            #expect(try await world.status()?.instances.compactMap(\.osPid) == pids)
            #expect(try await world.command("stop", "--all").status == 0)
            #expect(pids.filter { ProcFolder.isRunning($0) } == [])
            #expect(try await world.waitForDeployex() == 0)
        }
    }

    @Test(.enabled(if: TestAccount.canBeMade, "only root starts programs as another user"))
    func `what one application's user does to its release keeps no other from being taken over`()
        async throws
    {
        try await TestAccount.run { account in
            let options = Self.options(#""user": "\#(account.name)","#)
            try await DeployexWorld.run(options, isStarted: false) { world in
                chmod(world.folder, 0o711)
                try await world.start()
                try await world.placePages("1.0.0")
                try await world.publish("0.1.0")
                try await world.waitForApplication("counter", "0.1.0")
                try await world.waitForApplication("pages", "1.0.0")
                let pages = try await world.application("pages").instances.map(\.osPid)
                let releases = world.service(1, "current/releases")
                for damage in [world.replaceByFolder, world.makeGarbage] {
                    let pid = try #require(await world.answer(1)?.osPID)
                    try damage(releases + "/start_erl.data")
                    chmod(releases, 0o555)
                    try await world.restartDeployex {
                        await world.kill(pid)
                        // Otherwise it may still be taken over.
                        try await world.wait("its end") { !ProcFolder.isRunning(pid) }
                    }
                    // It is deployed anew, and the other one goes on.
                    try await world.waitForApplication("counter", "0.1.0")
                    try await world.waitForApplication("pages", "1.0.0")
                    #expect(try await world.application("pages").instances.map(\.osPid) == pages)
                    let log = await world.log
                    #expect(log.contains("start_erl.data is damaged and cannot be made anew"))
                }
            }
        }
    }

    @Test func `an application whose record cannot be used is failed until it can`() async throws {
        try await DeployexWorld.run(Self.options) { world in
            try await world.placePages("1.0.0")
            try await world.publish("0.1.0")
            try await world.waitForApplication("counter", "0.1.0")
            try await world.waitForApplication("pages", "1.0.0")
            let pids = try await world.status()?.instances.compactMap(\.osPid) ?? []
            let record = world.base + "/version/counter/application.json"
            let mark = await world.logMark
            try await world.restartDeployex(waitingFor: "counter: Application is not begun: ") {
                try world.replaceByFolder(record)
            }
            try await world.waitForApplication("pages", "1.0.0")
            let failed = try await world.application("counter")
            #expect(failed.instances.map(\.status) == ["failed"])
            #expect(failed.problem?.contains(record) == true, "\(failed)")
            let refused = try await world.command("restart", "counter-1")
            #expect(refused.status == 1 && refused.stderr.contains(record), "\(refused)")
            #expect(rmdir(record) == 0)
            try await world.waitForApplication("counter", "0.1.0")
            #expect(try await world.status()?.instances.compactMap(\.osPid) == pids)
            let told = await world.log(after: mark).split(separator: "\n")
                .count { $0.contains("is not begun") }
            #expect(told == 1)
        }
    }

    @Test func `a wrong file is one line with the path of the key, before anything is touched`()
        async throws
    {
        try await DeployexWorld.runWithoutSlot { world in
            let file = world.folder + "/home/d.json"
            try #"{"applications":[{"name":"counter","replicas":"two"}]}"#
                .write(toFile: file, atomically: true, encoding: .utf8)
            let cleared = Dictionary(
                uniqueKeysWithValues: world.variables.keys
                    .filter {
                        $0.hasPrefix("DEPLOYEX_MONITORED") || $0.contains("STORAGE")
                            || $0.hasSuffix("INTERVAL") || $0.hasSuffix("TIMEOUT")
                    }
                    .map { ($0, "") })
            let result = try await world.command("start", "--config", file, adding: cleared)
            #expect(
                result
                    == CommandResult(
                        status: 2, stdout: "",
                        stderr:
                            "deployex: \(file): applications[0].replicas: a whole number from 1 "
                            + "to 100, not \"two\" (see `deployex help start`)\n"))
            let both = try await world.command("start", "--config", file)
            #expect(both.status == 2)
            #expect(both.stderr.contains(" is set beside the configuration file \(file)"))
            let missing = try await world.command(
                "start", "--config", world.folder + "/absent.json", adding: cleared)
            #expect(missing.status == 2)
            #expect(missing.stderr.contains("/absent.json"))
            #expect(!FileManager.default.fileExists(atPath: world.base))
        }
    }
}

extension DeployexWorld {
    /// Ends deployex, and starts the next when `body` has been done.
    fileprivate func restartDeployex(
        waitingFor line: String = "Initialising deployment server",
        _ body: @Sendable () async throws -> Void
    ) async throws {
        guard try endDeployex(SIGTERM) == 0 else { throw TestFailure("deployex ended oddly") }
        try await body()
        let mark = logMark
        try launchDeployex()
        try waitForLog(line, after: mark)
    }

    nonisolated fileprivate func replaceByFolder(_ path: String) throws {
        try FileManager.default.removeItem(atPath: path)
        mkdir(path, 0o755)
    }

    nonisolated fileprivate func makeGarbage(_ path: String) throws {
        // The folder of before has gone with its release.
        let file = try #require(fopen(path, "w"))
        fputs("garbage", file)
        fclose(file)
    }

    /// Publishes `pages`: a web server without an Erlang node.
    func placePages(_ version: String) throws {
        let script = """
            import io, sys, tarfile
            t = tarfile.open(sys.argv[1], 'w:gz')
            def add(name, data, mode):
                i = tarfile.TarInfo(name); i.size = len(data); i.mode = mode
                t.addfile(i, io.BytesIO(data))
            add('bin/pages', b'#!/bin/sh\\necho "pages on $PORT"\\n'
                b'exec python3 -u -m http.server --bind 127.0.0.1 "$PORT"\\n', 0o755)
            add('releases/start_erl.data', b'13.1.5 \(version)', 0o644)
            add('releases/\(version)/start.script', b'', 0o644)
            t.close()
            """
        let (dist, versions) = (storage + "/dist/pages", storage + "/versions/pages/local")
        for folder in [dist, versions] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        }
        let result = try run(
            try ThisHost.find("python3"), ["-c", script, "\(dist)/pages-\(version).tar.gz"])
        guard result.status == 0 else { throw TestFailure("python3: \(result)") }
        try #"{"version":"\#(version)","hash":"local"}"#.write(
            toFile: versions + "/current.json", atomically: true, encoding: .utf8)
    }

    func application(_ name: String) throws -> StatusAnswer.App {
        guard let found = try status()?.apps.first(where: { $0.name == name }) else {
            throw TestFailure("no status of \(name)")
        }
        return found
    }

    /// Waits until all instances of an application run a version.
    func waitForApplication(_ name: String, _ version: String) throws {
        try wait("\(name) to run \(version)", for: .seconds(60)) {
            guard let found = try status()?.apps.first(where: { $0.name == name }) else {
                return false
            }
            return found.instances.allSatisfy {
                $0.status == "running" && $0.version == version
            }
        }
    }
}

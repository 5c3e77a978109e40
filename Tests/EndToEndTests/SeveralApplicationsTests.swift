import FoundationEssentials
import Glibc
import Testing

/// The example and a program that is no Erlang node at all, configured by one file.
@Suite struct SeveralApplicationsTests {
    private static let options = DeployexWorld.Options(
        epmd: .deployex,
        configuration: { world in
            """
            {
              "applications": [
                {"name": "counter", "replicas": 1, "first_port": \(world.firstPort),
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
                #expect(HTTPClient.isListening(port: port))
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
                    == ChildProcess.Result(
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
            try Host.find("python3"), ["-c", script, "\(dist)/pages-\(version).tar.gz"])
        guard result.status == 0 else { throw WorldError("python3: \(result)") }
        try #"{"version":"\#(version)","hash":"local"}"#.write(
            toFile: versions + "/current.json", atomically: true, encoding: .utf8)
    }

    func application(_ name: String) throws -> StatusAnswer.App {
        guard let found = try status()?.apps.first(where: { $0.name == name }) else {
            throw WorldError("no status of \(name)")
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

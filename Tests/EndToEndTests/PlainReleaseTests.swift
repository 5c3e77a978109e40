import FoundationEssentials
import TestKit
import Testing

/// Releases made by `mix new` and `mix release` alone.
@Suite struct PlainReleaseTests {
    /// Nobody gives a cookie, or says to a command which node deployex is.
    @Test(arguments: [
        (["--sname", "deployex"], ThisHost.name), (["--name", "deployex@127.0.0.1"], "127.0.0.1"),
    ])
    func `several replicas of a release without an env.sh run, each as its own node`(
        node: [String], host: String
    ) async throws {
        let options = DeployexWorld.Options(
            replicas: 2, cookie: "", node: node,
            variables: ["DEPLOYEX_MONITORED_APP_NAME": "plain", "DEPLOYEX_STOP_TIMEOUT": "3"])
        try await DeployexWorld.run(options) { world in
            try await world.publishPlain("0.1.0", environmentScript: "")
            try await world.waitForPlain("0.1.0")
            #expect(try await world.status()?.node == "deployex@\(host)")
            let nodes = try await world.status()?.instances.map(\.node)
            #expect(nodes == (1...2).map { "plain-\($0)@\(host)" })
            #expect(try await world.command("ping", "plain-1").stdout == "pong\n")
            let terminal = try await world.remoteShell("2", of: "plain-2@\(host)")
            #expect(terminal.contains("iex(plain-2@\(host))"), "\(terminal)")
            let restart = try await world.command("restart", "plain-1")
            #expect(restart.status == 0, "\(restart)")
            #expect(try await world.command("stop", "--all").status == 0)
        }
    }

    @Test func `the cookie of a release is deployex's, unless its env.sh exports another`()
        async throws
    {
        let secret = "confidential-cookie-of-deployex"
        let options = DeployexWorld.Options(
            epmd: .deployex, cookie: secret,
            variables: ["DEPLOYEX_MONITORED_APP_NAME": "plain", "DEPLOYEX_STOP_TIMEOUT": "3"])
        try await DeployexWorld.run(options) { world in
            // Nothing but `mix new` and `mix release`: a random cookie in releases/COOKIE.
            try await world.publishPlain("0.1.0", environmentScript: "")
            try await world.waitForPlain("0.1.0")
            let first = try #require(await world.instancePIDs.first)
            #expect(ProcFolder.environment(first)["RELEASE_COOKIE"] == secret)
            let shipped = world.base + "/service/plain/1/current/releases/COOKIE"
            #expect(world.text(shipped).map { $0 == secret } == false)

            // It says which node it is, and nothing of a cookie.
            try await world.publishPlain(
                "0.2.0", environmentScript: "export RELEASE_NODE=plain$RELEASE_NODE_SUFFIX")
            try await world.waitForPlain("0.2.0")

            // As the first walk-throughs had it: a cookie where nobody has given one.
            try await world.publishPlain(
                "0.3.0",
                environmentScript: """
                    [ -z ${RELEASE_COOKIE} ] && export RELEASE_COOKIE="cookie"
                    export RELEASE_NODE=plain$RELEASE_NODE_SUFFIX
                    """)
            try await world.waitForPlain("0.3.0")

            // One that exports a cookie of its own keeps it.
            try await world.publishPlain(
                "0.4.0",
                environmentScript: """
                    export RELEASE_COOKIE=of-its-own
                    export RELEASE_NODE=plain$RELEASE_NODE_SUFFIX
                    """)
            try await world.waitForPong("plain-1", "--cookie", "of-its-own")
            #expect(try await world.command("ping", "plain-1").status == 3)
        }
    }
}

extension DeployexWorld {
    fileprivate func waitForPong(_ arguments: String...) throws {
        try wait("\(arguments[0]) to answer") { try command(["ping"] + arguments).status == 0 }
    }

    fileprivate func waitForPlain(_ version: String) throws {
        try wait("plain \(version) to be ready") {
            guard let found = try status()?.instances else { return false }
            return found.allSatisfy {
                $0.version == version && $0.otp == "connected" && $0.status == "running"
            }
        }
    }

    /// What is on a terminal on which `deployex remote` has become the shell of `node`.
    fileprivate func remoteShell(_ instance: String, of node: String) throws -> String {
        let script = """
            import os, pty, select, sys, time
            pid, terminal = pty.fork()
            if pid == 0: os.execv(sys.argv[2], sys.argv[2:])
            text = b''
            end = time.time() + 30
            while sys.argv[1].encode() not in text and time.time() < end:
                if select.select([terminal], [], [], 0.2)[0]: text += os.read(terminal, 4096)
            os.write(terminal, b'\\x1c')
            try:
                while os.read(terminal, 4096): pass
            except OSError: pass
            os.waitpid(pid, 0)
            print(text.decode())
            """
        return try run(
            ThisHost.find("python3"),
            ["-c", script, "iex(\(node))", BuiltProgram.deployex, "remote", instance],
            environment: variables.merging(["TERM": "xterm"]) { $1 }, timeout: .seconds(60)
        ).stdout
    }

    /// Makes a new application, as `mix new` and `mix release` do by themselves, and publishes it.
    fileprivate func publishPlain(_ version: String, environmentScript: String) throws {
        let script = """
            set -e
            rm -rf "$HOME/plain"; cd "$HOME"; mix new plain; cd plain
            sed -i 's/version: "0.1.0"/version: "'"$1"'"/' mix.exs
            if [ -n "$2" ]; then mkdir rel; printf '%s\n' "$2" > rel/env.sh.eex; fi
            mix release --quiet
            mkdir -p "$3/dist/plain" "$3/versions/plain/local"
            tar -C _build/prod/rel/plain -czf "$3/dist/plain/plain-$1.tar.gz" .
            echo '{"version":"'"$1"'","hash":"local"}' > "$3/versions/plain/local/new.json"
            mv "$3/versions/plain/local/new.json" "$3/versions/plain/local/current.json"
            """
        let home = folder + "/mix"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        let result = try run(
            ThisHost.find("bash"), ["-c", script, "bash", version, environmentScript, storage],
            environment: [
                "PATH": ThisHost.path, "HOME": home, "LC_ALL": "C.UTF-8", "MIX_ENV": "prod",
            ], timeout: .seconds(120))
        guard result.status == 0 else { throw TestFailure("mix: \(result)") }
    }
}

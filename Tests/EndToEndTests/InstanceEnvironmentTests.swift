import FoundationEssentials
import Glibc
import TestKit
import Testing

/// What a virtual machine gets from deployex, as the kernel shows it.
@Suite struct InstanceEnvironmentTests {
    @Test func `an instance gets its own variables and none of deployex's secrets`() async throws {
        let variables = [
            "RELEASE_NAME": "someone-elses", "RELEASE_ROOT": "/nowhere", "RELEASE_VSN": "9",
            "RELEASE_COOKIE": "not-this-one", "RELEASE_NODE": "other",
            "DEPLOYEX_SECRET_KEY_BASE": "confidential-1",
            "DEPLOYEX_ADMIN_PASSWORD": "confidential-2",
            // Whose cookie counts, rather than the variable's.
            "ELIXIR_ERL_OPTIONS": "-setcookie cookie +SDio 7",
            "NOTIFY_SOCKET": "/run/notify", "KEPT": "as it is",
        ]
        let options = DeployexWorld.Options(cookie: "confidential-3", variables: variables)
        try await DeployexWorld.run(options, isStarted: false) { world in
            // Something that deployex has open must not reach what it starts.
            try await world.startDeployex(extraDescriptor: 77)
            let deployex = try #require(await world.deployexPID)
            #expect(ProcFolder.descriptors(deployex)[77] == "/dev/null")
            try await world.bring(to: "0.1.0")
            let pid = try await world.answers()[0].osPID

            let environment = ProcFolder.environment(pid)
            #expect(environment["RELEASE_NODE_SUFFIX"] == "-1")
            #expect(environment["PORT"] == "\(world.firstPort)")
            #expect(environment["KEPT"] == "as it is")
            #expect(environment["GREETING"] == "hello from a test")
            #expect(environment["PATH"] != nil)
            // The release's own script has set these again, to what is true of it.
            #expect(environment["RELEASE_NAME"] == "counter")
            #expect(environment["RELEASE_ROOT"] == world.service(1, "current"))
            #expect(environment["RELEASE_NODE"] == "counter-1")
            // deployex's own.
            #expect(environment["RELEASE_COOKIE"] == "cookie")
            for name in [
                "DEPLOYEX_ERLANG_COOKIE", "DEPLOYEX_SECRET_KEY_BASE", "DEPLOYEX_ADMIN_PASSWORD",
                "NOTIFY_SOCKET", "ELIXIR_ERL_OPTIONS",
            ] { #expect(environment[name] == nil, "\(name)") }
            #expect(!environment.values.contains { $0.contains("confidential") })

            let descriptors = ProcFolder.descriptors(pid)
            let log = world.folder + "/log/counter/counter-1-std"
            #expect(descriptors[0] == "/dev/null")
            #expect(descriptors[1] == log + "out.log")
            #expect(descriptors[2] == log + "err.log")
            #expect(descriptors[77] == nil)
            // The rest is what a virtual machine opens for itself.
            for (number, target) in descriptors where number > 2 {
                let isOwn =
                    ["anon_inode:", "pipe:", "socket:", "/dev/", "/sys/", "/proc/"]
                    .contains { target.hasPrefix($0) } || target.hasPrefix(world.service(1))
                #expect(isOwn, "\(number): \(target)")
                #expect(!target.hasSuffix(".lock") && !target.contains("deployex.log"))
            }
        }
    }

    @Test func `deployex's cookie is in nothing that it starts but RELEASE_COOKIE`() async throws {
        let secret = "confidential-cookie-of-deployex"
        try await DeployexWorld.run(.init(cookie: secret)) { world in
            try await world.bring(to: "0.1.0")
            let answer = try await world.answers()[0]
            let pids = await world.strays
            #expect(pids.contains(answer.osPID))
            // deployex's EPMD, too.
            let epmd = try #require(pids.first { ProcFolder.arguments($0).last == "epmd" })
            #expect(!ProcFolder.environment(epmd).values.contains { $0.contains(secret) })
            for pid in pids + ProcFolder.descendants(answer.osPID) {
                let found = ProcFolder.environment(pid).filter { $0.value.contains(secret) }
                #expect(found.isEmpty || found == ["RELEASE_COOKIE": secret])
            }
            #expect(await !world.log.contains(secret))
            #expect(try await world.status(of: 1).otp == "connected")
        }
    }

    @Test func `a release as mix makes it needs no cookie of its own`() async throws {
        let secret = "confidential-cookie-of-deployex"
        let options = DeployexWorld.Options(
            epmd: .deployex, cookie: secret,
            variables: ["DEPLOYEX_MONITORED_APP_NAME": "plain", "DEPLOYEX_STOP_TIMEOUT": "3"])
        try await DeployexWorld.run(options) { world in
            // Nothing but `mix new` and `mix release`: a random cookie in releases/COOKIE.
            try await world.publishPlain("0.1.0", environmentScript: "")
            try await world.waitForPong("plain")
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
            let found = try status()?.instances.first
            return found?.version == version && found?.otp == "connected"
                && found?.status == "running"
        }
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

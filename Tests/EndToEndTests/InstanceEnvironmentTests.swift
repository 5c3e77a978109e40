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
}

import Glibc
import Testing

/// Other users of the host, and programs that take a name.
@Suite struct StrangerTests {
    static let isRoot = geteuid() == 0
    static let stranger: UInt32 = 54_321

    @Test func `an EPMD that is lost is started again`() async throws {
        try await DeployexWorld.run { world in
            let mark = await world.logMark
            let epmd = try #require(await world.strays.first)
            kill(epmd, SIGKILL)
            try await world.waitForLog("[warning]", "registering again", after: mark)
            try await world.waitForLog("No EPMD at", "starting one", after: mark)
            try await world.waitForLog("[info] Registered deployex@", after: mark)
            #expect(await world.strays.filter { $0 != epmd }.count == 1)
            let names = try await world.command("names")
            #expect(names.stdout.hasPrefix("name deployex at port "))
        }
    }

    @Test(.enabled(if: isRoot, "root alone can start a program as another user"))
    func `a stranger's EPMD is neither registered with nor asked`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            try await world.startAs(
                user: Self.stranger, ExamplePackages.deployex, ["epmd"])
            try await world.wait("the stranger's EPMD to listen") {
                HTTPClient.isListening(port: world.epmdPort)
            }
            try await world.launchDeployex()
            #expect(try await world.waitForDeployex() == 3)
            let reason =
                "EPMD at 127.0.0.1:\(world.epmdPort) belongs to uid 54321: stop it, or name the "
                + "user in DEPLOYEX_TRUSTED_USERS"
            #expect(await world.log.contains(reason))
            for arguments in [["names"], ["status"], ["epmd", "--daemon"], ["ping", "counter-1"]] {
                let result = try await world.command(arguments)
                #expect(result.status == 3)
                #expect(result.stderr.contains(reason))
            }
        }
    }

    @Test(.enabled(if: isRoot, "root alone can start a program as another user"))
    func `a stranger who takes EPMD's place while deployex runs is told of and not used`()
        async throws
    {
        try await DeployexWorld.run { world in
            let mark = await world.logMark
            let epmd = try #require(await world.strays.first)
            kill(epmd, SIGKILL)
            try await world.startAs(
                user: Self.stranger, ExamplePackages.deployex, ["epmd"])
            try await world.waitForLog(
                "[error]", "EPMD at 127.0.0.1:\(world.epmdPort) belongs to uid 54321", after: mark)
            await world.endOther()
            try await world.waitForLog("[info] Registered deployex@", after: mark)
            #expect(try await world.status()?.node == "deployex@\(Host.name)")
        }
    }

    /// Who listens as `counter-1` before the instance does.
    enum Impostor: CaseIterable {
        /// Another user, without the cookie: it would relay what deployex answers.
        case stranger
        /// A program of the same user, with the cookie.
        case namesake
    }

    @Test(
        .enabled(if: isRoot, "root alone can start a program as another user"),
        arguments: Impostor.allCases)
    func `who takes an instance's name is not taken for it`(impostor: Impostor) async throws {
        try await DeployexWorld.run { world in
            let user = impostor == .stranger ? Self.stranger : 0
            let cookie = impostor == .stranger ? "another" : world.options.cookie
            try await world.startAs(
                user: user, Host.find("erl"),
                ["-noinput", "-sname", "counter-1", "-setcookie", cookie])
            try await world.waitForName("counter-1")
            let mark = await world.logMark
            try await world.publish("0.1.0")
            let line = try await world.waitForLog(
                "[error]", "counter-1@\(Host.name) is not connected to", after: mark)
            switch impostor {
            case .stranger:
                #expect(line.contains("belongs to uid 54321: stop it, or name the user in"))
            case .namesake:
                #expect(line.contains("is no process of counter-1, OS process "))
            }
            #expect(try await world.status()?.apps.first?.instances.first?.otp != "connected")
        }
    }
}

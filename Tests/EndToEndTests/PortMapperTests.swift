import Glibc
import Testing

/// EPMD: OTP's under deployex, and deployex's own under OTP.
@Suite struct PortMapperTests {
    @Test(arguments: [DeployexWorld.EPMDKind.real, .deployex])
    func `deployex registers again by itself when EPMD has been restarted`(
        kind: DeployexWorld.EPMDKind
    ) async throws {
        try await DeployexWorld.run(.init(epmd: kind)) { world in
            let mark = await world.logMark
            try await world.stopEPMD()
            try await world.waitForLog("[warning]", "registering again", after: mark)
            try await world.startEPMD()
            try await world.waitForLog("[info] Registered deployex@", after: mark)
            #expect(try await world.status()?.node == "deployex@\(Host.name)")
            let names = try await world.command("names")
            #expect(names.stdout.hasPrefix("name deployex at port "))
        }
    }

    @Test func `real nodes register with deployex epmd, find each other, and are listed`()
        async throws
    {
        try await DeployexWorld.run(.init(epmd: .deployex), isStarted: false) { world in
            try await world.startEPMD()
            let printed = try await world.erlang(
                #"""
                {ok, Peer, Node} = peer:start_link(#{name => other, connection => standard_io,
                    args => ["-setcookie", "cookie"]}),
                Ping = net_adm:ping(Node),
                {ok, Names} = erl_epmd:names(),
                peer:stop(Peer),
                Gone = fun Wait() ->
                    case erl_epmd:names() of {ok, [_]} -> ok; _ -> timer:sleep(10), Wait() end
                end,
                Gone(),
                {ok, Left} = erl_epmd:names(),
                io:format("~p~n~p~n~p~n", [Ping, lists:sort([N || {N, _} <- Names]),
                    [N || {N, _} <- Left]])
                """#, name: "one")
            #expect(printed == "pong\n[\"one\",\"other\"]\n[\"one\"]\n")
            let epmd = try await world.run(
                Host.find("epmd"), ["-port", "\(world.epmdPort)", "-names"])
            #expect(
                epmd.stdout == "epmd: up and running on port \(world.epmdPort) with data:\n")
        }
    }

    @Test func `deployex epmd in the background stays, and a second one finds it`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            #expect(try await world.command("names").status == 3)
            #expect(try await world.command("epmd", "--daemon").status == 0)
            #expect(await world.strays.count == 1)
            #expect(try await world.command("epmd", "--daemon").status == 0)
            #expect(await world.strays.count == 1)
            #expect(
                try await world.command("names")
                    == ChildProcess.Result(status: 0, stdout: "", stderr: ""))
            let second = try await world.command("epmd")
            #expect(second.status == 1)
            #expect(second.stderr.contains("\(world.epmdPort)"))
        }
    }
}

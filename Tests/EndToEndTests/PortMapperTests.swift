import FoundationEssentials
import Glibc
import TestKit
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
            #expect(try await world.status()?.node == "deployex@\(ThisHost.name)")
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
                ThisHost.find("epmd"), ["-port", "\(world.epmdPort)", "-names"])
            #expect(
                epmd.stdout == "epmd: up and running on port \(world.epmdPort) with data:\n")
        }
    }

    /// Such a node registers at IPv6's loopback, and looks for others where their host's name leads.
    @Test func `nodes over IPv6 register with deployex epmd, and find each other`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex), isStarted: false) { world in
            try await world.startEPMD()
            let result = try await world.run(
                ThisHost.find("erl"),
                [
                    "-noinput", "-proto_dist", "inet6_tcp", "-name", "one@::1", "-setcookie",
                    "cookie", "-eval",
                    """
                    {ok, Peer, Node} = peer:start_link(#{name => other, host => "::1",
                        longnames => true, connection => standard_io,
                        args => ["-proto_dist", "inet6_tcp", "-setcookie", "cookie"]}),
                    io:format("~p~n", [net_adm:ping(Node)]), peer:stop(Peer), halt().
                    """,
                ], timeout: .seconds(30))
            #expect(result == CommandResult(status: 0, stdout: "pong\n", stderr: ""))
        }
    }

    @Test func `deployex epmd --stop ends it, unless a node is registered`() async throws {
        try await DeployexWorld.run(isStarted: false) { world in
            #expect(try await world.command("epmd", "--stop").status == 3)
            #expect(try await world.command("epmd", "--daemon").status == 0)
            let printed = try await world.erlang(
                """
                io:format("~s", [os:cmd("\(BuiltProgram.deployex) epmd --stop 2>&1; echo $?")])
                """, name: "one")
            let address = "127.0.0.1:\(world.epmdPort)"
            #expect(
                printed == "deployex: EPMD at \(address) goes on: one is registered\n1\n")
            try await world.waitForNoName()
            #expect(
                try await world.command("epmd", "--stop")
                    == CommandResult(
                        status: 0, stdout: "EPMD at \(address) has ended\n", stderr: ""))
            try await world.waitForNoStrays()
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
                    == CommandResult(status: 0, stdout: "", stderr: ""))
            let second = try await world.command("epmd")
            #expect(second.status == 1)
            #expect(second.stderr.contains("\(world.epmdPort)"))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root has rights to give up"))
    func `deployex epmd as root is nobody once it listens, and its socket is root's`() async throws
    {
        try await DeployexWorld.run(isStarted: false) { world in
            #expect(try await world.command("epmd", "--daemon").status == 0)
            let pid = try #require(await world.strays.first)
            // It listens first: what it gives up it gives up in a moment.
            let deadline = ContinuousClock.now + .seconds(10)
            while try threads(of: pid).contains(where: { $0["Uid"] != Self.nobody }) {
                guard ContinuousClock.now < deadline else { break }
                usleep(2000)
            }
            let threads = try threads(of: pid)
            #expect(!threads.isEmpty)
            for thread in threads {
                #expect(thread["Uid"] == Self.nobody)
                #expect(thread["Gid"] == Self.nobody)
                #expect(thread["Groups"] == [])
                #expect(thread["NoNewPrivs"] == ["1"])
                for set in ["CapPrm", "CapEff", "CapAmb"] {
                    #expect(thread[set] == ["0000000000000000"], "\(set)")
                }
            }
            let sockets = try await world.run(ThisHost.find("cat"), ["/proc/net/tcp"]).stdout
            #expect(listeners(sockets, port: world.epmdPort) == [0])
            // It goes on serving.
            let names = try await world.command("names")
            #expect(names == CommandResult(status: 0, stdout: "", stderr: ""))
        }
    }

    private static let nobody = [String](repeating: "65534", count: 4)

    /// The lines of each thread's `status`, by their names.
    private func threads(of pid: pid_t) throws -> [[String: [String]]] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").map { thread in
            let text = try String(
                contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
            var fields: [String: [String]] = [:]
            for line in text.split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                fields[String(parts[0])] =
                    parts.dropFirst().first?.split(whereSeparator: \.isWhitespace).map(String.init)
                    ?? []
            }
            return fields
        }
    }

    /// The owners of the sockets that listen on a port, IPv4. Source: proc_net_tcp in the kernel's documentation.
    private func listeners(_ text: String, port: Int) -> [Int] {
        text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 7, fields[3] == "0A",
                fields[1].split(separator: ":").last.flatMap({ Int($0, radix: 16) }) == port
            else { return nil }
            return Int(fields[7])
        }
    }
}

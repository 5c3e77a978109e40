import Glibc
import TestKit
import Testing

/// The short-lived commands against one instance, and against deployex's own node.
@Suite(.serialized, .sharedWorld(.init(epmd: .startedByDeployex), running: "0.1.0"))
struct CommandTests {
    let world: DeployexWorld

    init() throws {
        world = try .current
    }

    private typealias Result = CommandResult

    @Test func `ping says pong`() async throws {
        let pong = Result(status: 0, stdout: "pong\n", stderr: "")
        #expect(try await world.command("ping", "counter-1") == pong)
        #expect(try await world.command("ping", world.node(1)) == pong)
        #expect(try await world.command("ping", "deployex") == pong)
    }

    @Test func `rpc prints the result in Erlang syntax`() async throws {
        #expect(
            try await world.command("rpc", world.node(1), "lists", "reverse", "[[1,2,3]]")
                == Result(status: 0, stdout: "[3,2,1]\n", stderr: ""))
        #expect(
            try await world.command("rpc", "counter-1", "erlang", "node")
                == Result(status: 0, stdout: "'\(world.node(1))'\n", stderr: ""))
        let map = try await world.command(
            "rpc", "counter-1", "maps", "from_list", "[[{a,<<\"b\">>}]]")
        #expect(map == Result(status: 0, stdout: "#{a => <<\"b\">>}\n", stderr: ""))
        let elixir = try await world.command("rpc", "counter-1", "Counter.Server", "report")
        #expect(elixir.stdout.hasPrefix("[{counter,"))
    }

    @Test func `what a call prints is shown before its result`() async throws {
        let result = try await world.command(
            "rpc", "counter-1", "io", "format", #"["one ~p~ntwo~n", [{1,a}]]"#)
        #expect(result == Result(status: 0, stdout: "one {1,a}\ntwo\nok\n", stderr: ""))
    }

    @Test func `an exception is printed as an Erlang term and exits 1`() async throws {
        let error = try await world.command("rpc", "counter-1", "erlang", "error", "[{no,\"way\"}]")
        #expect(error.status == 1)
        #expect(error.stdout == "")
        // As rpc:call gives it.
        #expect(error.stderr.hasPrefix(#"deployex: {'EXIT',{{no,"way"},["#))
        #expect(error.stderr.hasSuffix("\n"))
        #expect(error.stderr.count { $0 == "\n" } == 1)
        let thrown = try await world.command("rpc", "counter-1", "erlang", "throw", "[ball]")
        #expect(thrown == Result(status: 1, stdout: "", stderr: "deployex: {throw,ball}\n"))
        let exit = try await world.command("rpc", "counter-1", "erlang", "exit", "[gone]")
        #expect(exit == Result(status: 1, stdout: "", stderr: "deployex: {'EXIT',gone}\n"))
        let missing = try await world.command("rpc", "counter-1", "no_module", "f", "[1]")
        #expect(missing.status == 1)
        #expect(missing.stderr.contains("undef"))
    }

    @Test func `arguments that are no list, or no term, exit 2`() async throws {
        for arguments in ["{1,2}", "[1,", "[1].[2]"] {
            let result = try await world.command("rpc", "counter-1", "lists", "reverse", arguments)
            #expect(result.status == 2)
            #expect(result.stderr.hasPrefix("deployex: the arguments are"))
        }
    }

    @Test(arguments: ["ping", "probe", "rpc"])
    func `no such node exits 3`(command: String) async throws {
        let call = command == "rpc" ? ["erlang", "node"] : []
        let result = try await world.command([command, "nobody@\(ThisHost.name)"] + call)
        #expect(result.status == 3)
        #expect(result.stdout == "")
        #expect(
            result.stderr.hasPrefix("deployex: nobody@\(ThisHost.name) cannot be reached: "))
    }

    @Test(arguments: ["ping", "probe", "rpc"])
    func `a wrong cookie exits 3 and says so`(command: String) async throws {
        let call = command == "rpc" ? ["erlang", "node"] : []
        for node in ["counter-1", "deployex"] {
            let result = try await world.command(
                [command, node] + call, adding: ["DEPLOYEX_ERLANG_COOKIE": "wrong"])
            #expect(result.status == 3)
            #expect(result.stderr.contains("the cookies differ"))
        }
        #expect(
            try await world.command([command, "counter-1", "--cookie", "wrong"] + call).status == 3)
    }

    @Test func `a probe of a healthy node tells its numbers and exits 0`() async throws {
        let result = try await world.command("probe", "counter-1", "--app", "counter")
        #expect(result.status == 0)
        #expect(result.stderr == "")
        let line = result.stdout
        #expect(line.hasPrefix("\(world.node(1)) healthy, boot finished, "))
        for word in ["applications started", "memory", "MiB", "run queue", "processes", "atoms"] {
            #expect(line.contains(word))
        }
        let json = try await world.command("probe", "counter-1", "--app", "counter", "--json")
        #expect(json.status == 0)
        #expect(json.stdout.contains(#""healthy": true"#))
        #expect(json.stdout.contains(#""counter""#))
    }

    @Test func `a probe for an application that is not started exits 1`() async throws {
        let result = try await world.command("probe", "counter-1", "--app", "absent")
        #expect(result.status == 1)
        #expect(result.stdout.contains("not healthy"))
        #expect(result.stdout.contains("absent"))
    }

    @Test func `names lists the nodes as epmd does`() async throws {
        let result = try await world.command("names")
        #expect(result.status == 0)
        let names = result.stdout.split(separator: "\n").map { $0.split(separator: " ")[1] }
        #expect(names.sorted() == ["counter-1", "deployex"])
        let epmd = try await world.run(
            ThisHost.find("epmd"), ["-port", "\(world.epmdPort)", "-names"])
        for line in result.stdout.split(separator: "\n") {
            #expect(epmd.stdout.contains(line))
        }
        let silent = try await world.command("names", adding: ["ERL_EPMD_PORT": "1"])
        #expect(silent.status == 3)
    }

    @Test func `status is a table for people and JSON for programs`() async throws {
        let answer = try #require(await world.answer(1))
        let status = try #require(try await world.status())
        #expect(status.node == "deployex@\(ThisHost.name)")
        #expect(!status.tls)
        #expect(status.apps.count == 1)
        #expect(status.apps[0].name == "counter")
        #expect(status.apps[0].targetVersion == "0.1.0")
        let instance = status.apps[0].instances[0]
        #expect(instance.node == world.node(1))
        #expect(instance.status == "running")
        #expect(instance.version == "0.1.0")
        #expect(instance.previousVersion == nil)
        #expect(instance.lastDeployment == "full_deployment")
        #expect(instance.otp == "connected")
        #expect(instance.osPid == answer.osPID)
        #expect(instance.port == world.firstPort)
        #expect(instance.crashRestarts == 0)
        #expect(instance.forcedRestarts == 0)

        let table = try await world.command("status")
        #expect(table.status == 0)
        for word in ["deployex@\(ThisHost.name)", "counter", "0.1.0", "running", "\(answer.osPID)"]
        {
            #expect(table.stdout.contains(word))
        }
        let nobody = try await world.command("status", adding: ["ERL_EPMD_PORT": "1"])
        #expect(nobody.status == 3)
    }

    @Test func `an Erlang node pings deployex, sees it hidden, and calls it`() async throws {
        let printed = try await world.erlang(
            """
            N = 'deployex@\(ThisHost.name)',
            io:format("~p~n~p~n~p~n", [net_adm:ping(N), lists:member(N, nodes(hidden)),
                lists:member(N, nodes())]),
            A = rpc:call(N, deployex, status, []), B = erpc:call(N, deployex, status, []),
            Same = fun(M) -> maps:without([uptime_seconds, apps], M) end,
            io:format("~p~n", [Same(A) =:= Same(B)]),
            [App] = maps:get(apps, B), [I] = maps:get(instances, App),
            io:format("~0p~n~0p~n~0p~n", [lists:sort(maps:keys(B)), lists:sort(maps:keys(App)),
                lists:sort(maps:keys(I))]),
            io:format("~0p~n", [{maps:get(node, B), maps:get(version, I), maps:get(os_pid, I)}]),
            io:format("~0p~n", [rpc:call(N, deployex, no_such_call, [])]),
            io:format("~0p~n", [rpc:call(N, os, cmd, ["id"])])
            """)
        let pid = try #require(await world.answer(1)).osPID
        let lines = printed.split(separator: "\n").map(String.init)
        try #require(lines.count == 10)
        #expect(lines[0...3] == ["pong", "true", "false", "true"])
        #expect(lines[4] == "[apps,node,tls,uptime_seconds,version]")
        #expect(
            lines[5]
                == "[ghosted,instances,listen,name,pinned_version,problem,rollout,target_version]")
        #expect(
            lines[6]
                == "[cpu_percent,crash_restarts,deleted_libraries,forced_restarts,instance,"
                + "last_deployment,memory_bytes,node,os_pid,otp,port,"
                + "previous_version,reason,restart_pending,status,stopped_by_operator,thresholds,"
                + "uptime_seconds,version]")
        #expect(lines[7] == #"{<<"deployex@\#(ThisHost.name)">>,<<"0.1.0">>,\#(pid)}"#)
        #expect(lines[8].hasPrefix("{badrpc,"))
        #expect(lines[9].hasPrefix("{badrpc,"))
        #expect(lines[9].contains("undef"))
    }

    @Test func `an Erlang node with a wrong cookie is not let in`() async throws {
        let printed = try await world.erlang(
            """
            erlang:set_cookie('deployex@\(ThisHost.name)', wrong),
            io:format("~p~n", [net_adm:ping('deployex@\(ThisHost.name)')])
            """)
        #expect(printed.hasSuffix("pang\n"))
    }

    @Test func `a second deployex on the same base path exits 2 and names the holder`() async throws
    {
        let before = try #require(await world.answer(1))
        let result = try await world.command("start", "--sname", "other")
        #expect(result.status == 2)
        let holder = try #require(await world.deployexPID)
        #expect(
            result.stderr == "deployex: another deployex (process \(holder)) works in "
                + "\(world.base): stop it, or set DEPLOYEX_BASE_PATH to another folder\n")
        #expect(await world.answer(1)?.osPID == before.osPID)
        #expect(try await world.command("names").stdout.contains("name other ") == false)
    }
}

import FoundationEssentials
import Glibc
import TestKit
import Testing

/// Releases that are not made by `mix release`.
@Suite struct ForeignReleaseTests {
    private static let application = """
        -module(counter_app).
        -behaviour(application).
        -export([start/2, stop/1, init/1]).
        start(_, _) -> supervisor:start_link(?MODULE, []).
        init([]) -> {ok, {#{}, []}}.
        stop(_) -> io:format("counter has stopped~n").
        """

    private static let properties = """
        {application, counter, [{vsn, "0.1.0"}, {registered, []}, {mod, {counter_app, []}},
          {applications, [kernel, stdlib]}, {modules, [counter_app]}]}.
        """

    private func runs(_ world: DeployexWorld) async throws {
        try await world.waitUntilStatus("0.1.0")
        let status = try await world.status(of: 1)
        #expect(status.otp == "connected")
        let pid = try #require(status.osPid)
        #expect(ProcFolder.program(pid)?.hasSuffix("/beam.smp") == true)
        let stopped = try await world.command("stop", "1")
        #expect(stopped.status == 0, "\(stopped)")
        #expect(!ProcFolder.isRunning(pid))
        let output = try #require(world.text(world.folder + "/log/counter/counter-1-stdout.log"))
        #expect(output.contains("counter has stopped"))
        #expect(try await world.status(of: 1).crashRestarts == 0)
    }

    /// With the extended script, whose `start` makes a daemon, and with the plain one.
    @Test(arguments: [true, false])
    func `a release of rebar3 runs in the foreground`(isExtended: Bool) async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            let project = world.folder + "/project"
            let files = [
                "rebar.config": """
                {deps, []}.
                {relx, [{release, {counter, "0.1.0"}, [counter, sasl]}, {dev_mode, false},
                        {include_erts, true}, {extended_start_script, \(isExtended)},
                        {vm_args, "config/vm.args"}]}.
                """,
                "config/vm.args": "-sname counter-1\n-setcookie \(DeployexSite.cookie)\n",
                "src/counter.app.src": Self.properties, "src/counter_app.erl": Self.application,
            ]
            try await world.write(files, in: project)
            let made = try await world.run(
                "/usr/bin/env",
                ["-C", project, "QUIET=1", try ThisHost.find("rebar3"), "tar"],
                timeout: .seconds(120))
            #expect(made.status == 0, "\(made)")
            try await world.place(
                package: project + "/_build/default/rel/counter/counter-0.1.0.tar.gz",
                version: "0.1.0")
            try world.site.publish("0.1.0")
            try await runs(world)
        }
    }

    /// In the shape of `gleam export erlang-shipment`.
    @Test func `a shipment runs by its entrypoint`() async throws {
        try await DeployexWorld.run(.init(epmd: .deployex)) { world in
            let tree = world.folder + "/shipment"
            try await world.write(
                [
                    "counter/ebin/counter.app": Self.properties,
                    "counter/src/counter_app.erl": Self.application,
                    "counter/src/counter@@main.erl": """
                    -module('counter@@main').
                    -export([run/1]).
                    run(Module) -> {ok, _} = application:ensure_all_started(Module), receive stop -> ok end.
                    """,
                    "entrypoint.sh": """
                    #!/bin/sh
                    set -eu
                    PACKAGE=counter
                    BASE=$(dirname "$0")
                    COMMAND="${1-default}"
                    run() {
                      exec erl -pa "$BASE"/*/ebin -eval "$PACKAGE@@main:run($PACKAGE)" -noshell -extra "$@"
                    }
                    case "$COMMAND" in
                    run) shift; run "$@" ;;
                    *) echo "usage" >&2; exit 1 ;;
                    esac
                    """,
                ], in: tree)
            chmod(tree + "/entrypoint.sh", 0o755)
            let sources = ["counter_app", "counter@@main"].map { "\(tree)/counter/src/\($0).erl" }
            let compiled = try await world.run(
                try ThisHost.find("erlc"), ["-o", tree + "/counter/ebin"] + sources)
            #expect(compiled.status == 0, "\(compiled)")
            try await world.place("counter", "0.1.0", tree: tree)
            try world.site.publish("0.1.0")
            try await runs(world)
            // It is a release like any other: the next deployex knows which.
            #expect(try await world.versionFile(1, "current").version == "0.1.0")
        }
    }

    @Test func `a configured command starts what would not stay by itself`() async throws {
        let options = DeployexWorld.Options(
            epmd: .deployex,
            variables: [
                "DEPLOYEX_MONITORED_APP_START_COMMAND": "bin/run 'in the foreground'",
                "DEPLOYEX_DISTRIBUTION": "false", "DEPLOYEX_READINESS_ALIVE": "0.3",
            ])
        try await DeployexWorld.run(options) { world in
            try await world.place(
                "counter", "1.0.0",
                scripts: ["bin/run": "#!/bin/sh\necho \"told: $1\"\nexec sleep 600\n"],
                files: [
                    "releases/start_erl.data": "13.1.5 1.0.0",
                    "releases/1.0.0/start.script": "",
                ])
            try world.site.publish("1.0.0")
            try await world.waitUntilStatus("1.0.0")
            let output = world.text(world.folder + "/log/counter/counter-1-stdout.log")
            #expect(output == "told: in the foreground\n")
        }
    }
}

extension DeployexWorld {
    func write(_ files: [String: String], in folder: String) throws {
        for (path, text) in files {
            try Files.makeFolders(Files.parent(of: "\(folder)/\(path)"))
            try Files.write(Array(text.utf8), "\(folder)/\(path)")
        }
    }
}

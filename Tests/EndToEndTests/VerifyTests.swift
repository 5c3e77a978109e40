import TestKit
import Testing

/// `deployex verify` with the real example: what is as published, and what somebody has changed.
@Suite struct VerifyTests {
    @Test func `all is as published after a full deployment, a hot upgrade and a restart`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.publish("0.1.1")
            try await world.waitUntilAllRun("0.1.1")
            let first = try await world.command("verify", "1")
            #expect(first.status == 0, "\(first)")
            #expect(first.stdout.contains("counter-1  0.1.1\n"), "\(first)")
            #expect(first.stdout.contains("all that was compared is as published"), "\(first)")
            #expect(first.stdout.contains("no public keys are configured"), "\(first)")

            try await world.publish("0.1.2")
            try await world.waitUntilAllRun("0.1.2")
            #expect(try await world.status(of: 1).lastDeployment == "hot_upgrade")
            let second = try await world.command("verify")
            #expect(second.status == 0, "\(second)")
            #expect(second.stdout.contains("counter-1  0.1.2, upgraded in place\n"), "\(second)")

            #expect(try await world.command("restart", "1").status == 0)
            let third = try await world.command("verify", "counter-1", "--json")
            #expect(third.status == 0, "\(third)")
            #expect(third.stdout.contains(#""result": "published""#), "\(third)")

            // Back to what is left in the folder of the version before.
            #expect(try await world.command("rollback").status == 0)
            let back = try await world.command("verify", "1")
            #expect(back.status == 0, "\(back)")
            #expect(back.stdout.contains("counter-1  0.1.1\n"), "\(back)")
            // What nobody has deployed excuses nothing.
            let strange = "\(world.service(1, "current"))/releases/7.0"
            try Files.makeFolders(strange)
            try Files.write([1], strange + "/x")
            let extra = try await world.command("verify", "1")
            #expect(extra.status == 1, "\(extra)")
            #expect(extra.stdout.contains("extra       releases/7.0/x\n"), "\(extra)")
            Files.remove(strange + "/x")

            // A stopped instance runs no code that could be compared.
            #expect(try await world.command("stop", "1").status == 0)
            let stopped = try await world.command("verify", "1")
            #expect(stopped.status == 4, "\(stopped)")
            #expect(stopped.stdout.contains("the instance does not run"), "\(stopped)")
        }
    }

    @Test func `a changed file, an added and a missing one, and reloaded code are named`()
        async throws
    {
        try await DeployexWorld.run { world in
            try await world.publish("0.1.1")
            try await world.waitUntilAllRun("0.1.1")
            let current = world.service(1, "current")
            let library = "lib/counter-0.1.1/ebin"

            // The node has loaded the module already, so only the file differs.
            let beam = "\(current)/\(library)/Elixir.Counter.HTTP.beam"
            let original = Files.bytes(beam)
            try Files.write(Files.bytes("\(current)/\(library)/Elixir.Counter.Server.beam"), beam)
            try Files.write([1], "\(current)/\(library)/evil.beam")
            let missing = "\(current)/releases/0.1.1/iex"
            let removed = Files.bytes(missing)
            Files.remove(missing)
            let files = try await world.command("verify", "1")
            #expect(files.status == 1, "\(files)")
            #expect(
                files.stdout.contains("changed     \(library)/Elixir.Counter.HTTP.beam\n"),
                "\(files)")
            #expect(files.stdout.contains("extra       \(library)/evil.beam\n"), "\(files)")
            #expect(files.stdout.contains("missing     releases/0.1.1/iex\n"), "\(files)")
            #expect(files.stdout.contains("3 not as published"), "\(files)")
            #expect(!files.stdout.contains("other code"), "\(files)")
            try Files.write(original, beam)
            Files.remove("\(current)/\(library)/evil.beam")
            try Files.write(removed, missing)

            // Code that is in no file of the release.
            let source = world.folder + "/Elixir.Counter.HTTP.erl"
            try Files.write(
                Array(
                    "-module('Elixir.Counter.HTTP').\n-export([serve/1]).\nserve(X) -> X.\n".utf8),
                source)
            let made = world.folder + "/made.erl"
            try Files.write(Array("-module(made).\n-export([f/0]).\nf() -> 1.\n".utf8), made)
            // This one bypasses the code server, which knows nothing of it.
            let hidden = world.folder + "/hidden.erl"
            try Files.write(Array("-module(hidden).\n-export([f/0]).\nf() -> 1.\n".utf8), hidden)
            let printed = try await world.erlang(
                """
                Compile = fun(File) ->
                    {ok, Module, Binary} = compile:file(File, [binary]),
                    {Module, Binary}
                end,
                Call = fun(Module, Function, Arguments) ->
                    rpc:call('\(world.node(1))', Module, Function, Arguments)
                end,
                Load = fun(File) ->
                    {Module, Binary} = Compile(File),
                    Call(code, load_binary, [Module, "none", Binary])
                end,
                {Hidden, Code} = Compile("\(hidden)"),
                io:format("~p ~p ~p", [Load("\(source)"), Load("\(made)"),
                    Call(erlang, load_module, [Hidden, Code])])
                """)
            #expect(printed.contains("{module,made} {module,hidden}"), "\(printed)")
            let code = try await world.command("verify", "1")
            #expect(code.status == 1, "\(code)")
            #expect(
                code.stdout.contains("other code  Elixir.Counter.HTTP (from none)\n"), "\(code)")
            #expect(code.stdout.contains("unpublished made (from none)\n"), "\(code)")
            #expect(code.stdout.contains("unpublished hidden (from no file)\n"), "\(code)")
            #expect(code.stdout.contains("unchecked   old code of Elixir.Counter.HTTP"), "\(code)")
            #expect(code.stdout.contains("3 not as published"), "\(code)")
            #expect(!code.stdout.contains("changed  "), "\(code)")

            // Without its package the loaded code is still compared with the files.
            Files.remove(world.packagePath("0.1.1"))
            let gone = try await world.command("verify", "1")
            #expect(gone.status == 1, "\(gone)")
            #expect(gone.stdout.contains("the package of 0.1.1 is not on this host"), "\(gone)")
            #expect(gone.stdout.contains("other code  Elixir.Counter.HTTP (from "), "\(gone)")
            #expect(try await world.command("restart", "1").status == 0)
            let whole = try await world.command("verify", "1")
            #expect(whole.status == 4, "\(whole)")
        }
    }

    @Test func `a package that was exchanged in the store is found by what was published of it`()
        async throws
    {
        try await DeployexWorld.run { world in
            let package = try ExamplePackages.folder() + "/counter-0.1.1.tar.gz"
            #expect(try await world.command("publish", package).status == 0)
            try await world.waitUntilAllRun("0.1.1")
            let good = try await world.command("verify")
            #expect(good.status == 0, "\(good)")
            try world.site.write(
                Files.bytes(ExamplePackages.folder() + "/counter-0.1.2.tar.gz"),
                world.packagePath("0.1.1"))
            let other = try await world.command("verify")
            #expect(other.status == 1, "\(other)")
            #expect(other.stdout.contains("wrong       the package's sha256 is "), "\(other)")
            #expect(
                other.stdout.contains("missing     releases/0.1.2/sys.config\n"), "\(other)")
            let unknown = try await world.command("verify", "7")
            #expect(unknown.status == 1)
            #expect(unknown.stderr.contains("has no instance 7"))
        }
    }
}

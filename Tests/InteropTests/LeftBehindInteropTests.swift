import ExternalTermFormat
import Foundation
import Supervisor
import TestKit
import Testing
import Transport

@testable import Deployment

/// What an upgrade in place would leave behind, in real releases of mix, each case with a package
/// of its own.
@Suite(.ifOTPIsThere, .ifTransportIsKnown, .serialized, .timeLimit(.minutes(8)))
struct LeftBehindInteropTests {
    @Test func `what is compared is what beam_lib takes the digest of`() async throws {
        let fixture = try await HotUpgradeFixture()
        try await fixture.unpack("0.1.2", into: fixture.staged)
        let ebins = ["lib/counter-0.1.2/ebin", "releases/0.1.2/consolidated"]
        var pairs: [String] = []
        for ebin in ebins {
            for name in try fixture.files.list("\(fixture.staged)/\(ebin)")
            where name.hasSuffix(".beam") {
                let path = "\(fixture.staged)/\(ebin)/\(name)"
                let code = try BeamCode(fixture.files.read(path, limit: 1 << 24))
                let digest = code.digest.map { "\($0)" }.joined(separator: ",")
                pairs.append("{\"\(path)\",<<\(digest)>>}")
            }
        }
        #expect(pairs.count > 6)
        let answer = try await fixture.run(
            try ThisHost.find("erl"),
            [
                "-noshell", "-eval",
                """
                Same = fun({Beam, Digest}) ->
                    {ok, {_, Expected}} = beam_lib:md5(Beam),
                    Expected =:= Digest
                end,
                io:format("~p", [lists:usort(lists:map(Same, [\(pairs.joined(separator: ","))]))]),
                halt().
                """,
            ], ["PATH": ThisHost.path, "HOME": fixture.folder], .seconds(60), isOfPeer: true)
        #expect(String(decoding: answer.standardOutput, as: UTF8.self) == "[true]")
        await fixture.end()
    }

    @Test
    func
        `code under an unchanged version, protocols and settings are seen before the node is touched`()
        async throws
    {
        let project = try await MixProject()
        try await project.build("0.1.1")
        let fixture = try await HotUpgradeFixture(packages: project.packages)
        try await fixture.unpack("0.1.1", into: fixture.current)
        func decide() async throws -> UpgradeDecision {
            try await project.build("0.1.2")
            try await fixture.unpack("0.1.2", into: fixture.staged)
            return await HotUpgrade.decide(
                from: "0.1.1", isConnected: true, to: "0.1.2", name: "counter",
                current: fixture.current, staged: fixture.staged, files: fixture.files,
                loop: fixture.loop)
        }
        #expect(try await decide() == .hotUpgrade(from: "0.1.1", to: "0.1.2"), "built twice")

        try project.edit("helper/lib/helper.ex", ":old", ":new")
        #expect(
            try await decide()
                == .fullDeployment(
                    reason: .changedFile("lib/helper-0.1.0/ebin/Elixir.Helper.beam")))
        try project.edit("helper/lib/helper.ex", ":new", ":old")

        try project.write(
            "versions/0.1.2/lib/counter/chars.ex",
            """
            defimpl String.Chars, for: Counter.Server do
              def to_string(_), do: "counter"
            end
            """)
        #expect(
            try await decide()
                == .fullDeployment(reason: .changedProtocol("Elixir.String.Chars")))
        try project.remove("versions/0.1.2/lib/counter/chars.ex")

        try project.write("rel/vm.args.eex", "+P 100000\n")
        #expect(try await decide() == .fullDeployment(reason: .changedSetting("vm.args")))
        try project.remove("rel/vm.args.eex")
        try project.edit("rel/env.sh.eex", "#!/bin/sh", "#!/bin/sh\nexport NEW=1")
        #expect(try await decide() == .fullDeployment(reason: .changedSetting("env.sh")))
        await fixture.end()
    }

    @Test
    func `a missed module, a changed start and a child without a process are no plain success`()
        async throws
    {
        let project = try await MixProject()
        try await project.build("0.1.1")
        let fixture = try await HotUpgradeFixture(packages: project.packages)
        try await fixture.unpack("0.1.1", into: fixture.current)
        try ReleasesFile.write(for: fixture.current, name: "counter", files: fixture.files)
        _ = try await fixture.boot(greeting: "before")
        for _ in 1...3 { try await fixture.increment() }
        func upgrade() async throws -> HotUpgrade.Outcome {
            try await project.build("0.1.2")
            try await fixture.unpack("0.1.2", into: fixture.staged)
            return try await fixture.upgrade(from: "0.1.1", to: "0.1.2", greeting: "after")
        }
        let path = fixture.current + "/releases/0.1.2/relup"

        let appup = try project.read("versions/0.1.2/counter.appup")
        let loading = "{load_module, 'Elixir.Counter.Pages', ['Elixir.Counter.Server']}"
        try project.write(
            "versions/0.1.2/counter.appup",
            appup.replacingOccurrences(of: ",\n    \(loading)", with: ""))
        var outcome = try await upgrade()
        #expect(
            outcome
                == .failed(
                    reason:
                        "the relup: counter 0.1.2: changed, and not loaded: Elixir.Counter.Pages",
                    nodeIsUntouched: true))

        let start = "versions/0.1.2/lib/counter/application.ex"
        let source = try project.read("lib/counter/application.ex")
        try project.write(
            start,
            source.replacingOccurrences(
                of: "Counter.Server,",
                with: "Counter.Server, {Agent, fn -> 1 end},"))
        let loaded = "{load_module, 'Elixir.Counter.Application'}, \(loading)"
        try project.write(
            "versions/0.1.2/counter.appup", appup.replacingOccurrences(of: loading, with: loaded))
        outcome = try await upgrade()
        #expect(
            outcome
                == .failed(
                    reason: "the relup: counter 0.1.2: what starts the application has changed, "
                        + "and only a start runs it",
                    nodeIsUntouched: true))
        try project.remove(start)
        #expect(try fixture.files.status(path) == nil, "nothing is left of an attempt")
        #expect(try await fixture.report() == 3)

        // Loaded only, the supervisor does not start what is new.
        let supervisor = try project.read("lib/counter/more.ex")
        try project.write(
            "versions/0.1.2/lib/counter/more.ex",
            supervisor.replacingOccurrences(
                of: "children = []", with: "children = [{Agent, fn -> 1 end}]"))
        try project.write(
            "versions/0.1.2/counter.appup",
            appup.replacingOccurrences(
                of: loading, with: "{load_module, 'Elixir.Counter.More'}, \(loading)"))
        outcome = try await upgrade()
        #expect(
            outcome
                == .failed(
                    reason:
                        "the relup: counter 0.1.2: the supervisor Elixir.Counter.More has changed "
                        + "and is only loaded, so that its children stay as they were",
                    nodeIsUntouched: true))
        try project.write(
            "versions/0.1.2/counter.appup",
            appup.replacingOccurrences(
                of: loading, with: "{update, 'Elixir.Counter.More', supervisor}, \(loading)"))
        outcome = try await upgrade()
        #expect(
            outcome
                == .succeededInPart(
                    leftBehind: .init(children: ["'Elixir.Agent' of Elixir.Counter.More"])))
        #expect(try await fixture.report() == 3)
        await fixture.end()
    }
}

/// A copy of the example that a test may change: with a library beside it that keeps its version,
/// and a supervisor in a module of its own.
private final class MixProject: Sendable {
    private let shared: SharedFolder
    private let folder: String
    var packages: String { folder + "/packages" }

    init() async throws {
        shared = try SharedFolder()
        folder = shared.path
        try FileManager.default.copyItem(
            atPath: BuiltProgram.root + "/Examples/counter", toPath: folder + "/counter")
        for built in ["_build", "deps"] {
            try? FileManager.default.removeItem(atPath: "\(folder)/counter/\(built)")
        }
        try FileManager.default.createDirectory(
            atPath: packages, withIntermediateDirectories: true)
        try edit("mix.exs", "deps: []", "deps: [{:helper, path: \"helper\"}]")
        try write(
            "helper/mix.exs",
            """
            defmodule Helper.MixProject do
              use Mix.Project
              def project, do: [app: :helper, version: "0.1.0"]
            end
            """)
        try write("helper/lib/helper.ex", "defmodule Helper do\n  def value, do: :old\nend\n")
        try write(
            "lib/counter/more.ex",
            """
            defmodule Counter.More do
              use Supervisor
              def start_link(_), do: Supervisor.start_link(__MODULE__, [])
              def init(_) do
                children = []
                Supervisor.init(children, strategy: :one_for_one)
              end
            end
            """)
        try edit("lib/counter/application.ex", "Counter.Server,", "Counter.Server, Counter.More,")
    }

    func read(_ path: String) throws -> String {
        try String(contentsOfFile: "\(folder)/counter/\(path)", encoding: .utf8)
    }

    func write(_ path: String, _ text: String) throws {
        let url = URL(fileURLWithPath: "\(folder)/counter/\(path)")
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func edit(_ path: String, _ old: String, _ new: String) throws {
        let text = try read(path)
        try #require(text.contains(old))
        try write(path, text.replacingOccurrences(of: old, with: new))
    }

    func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: "\(folder)/counter/\(path)")
    }

    /// Builds `counter-VERSION.tar.gz`.
    func build(_ version: String) async throws {
        let (folder, packages) = (folder, packages)
        try await offload {
            try ChildProcess.run(
                "env", ["-C", folder + "/counter", "mix", "release", "--overwrite", "--quiet"],
                environment: [
                    "PATH": ThisHost.path, "HOME": folder, "LANG": "C.UTF-8", "MIX_ENV": "prod",
                    "COUNTER_VERSION": version,
                ], within: .seconds(120))
            let package = "\(folder)/counter/_build/\(version)/prod/counter-\(version).tar.gz"
            let target = "\(packages)/counter-\(version).tar.gz"
            try? FileManager.default.removeItem(atPath: target)
            try FileManager.default.copyItem(atPath: package, toPath: target)
        }
    }
}

import ExternalTermFormat
import Supervisor
import Synchronization
import TestKit
import Testing
import Transport

@testable import Deployment

/// Hot upgrades of real releases.
@Suite(.ifOTPIsThere, .ifTransportIsKnown, .serialized, .timeLimit(.minutes(5)))
struct HotUpgradeInteropTests {
    /// Runs a test with a release in `current/` that has counted to 3.
    private func withRelease(
        _ version: String, hasReleasesFile: Bool = true,
        _ body: (HotUpgradeFixture, HotUpgradeFixture.Started) async throws -> Void
    ) async throws {
        let fixture = try await HotUpgradeFixture()
        do {
            try await fixture.unpack(version, into: fixture.current)
            if hasReleasesFile {
                try ReleasesFile.write(
                    for: fixture.current, name: "counter", files: fixture.files)
            }
            let release = try await fixture.boot(greeting: "before")
            for _ in 1...3 { try await fixture.increment() }
            try await body(fixture, release)
        } catch {
            await fixture.end()
            throw error
        }
        await fixture.end()
    }

    @Test(arguments: [true, false])
    func `a hot upgrade keeps process and state, and the new version boots from then on`(
        hasReleasesFile: Bool
    ) async throws {
        try await withRelease("0.1.1", hasReleasesFile: hasReleasesFile) { fixture, release in
            let processID = try await fixture.processID()
            try await fixture.unpack("0.1.2", into: fixture.staged)
            let decision = await HotUpgrade.decide(
                from: "0.1.1", isConnected: true, to: "0.1.2", name: "counter",
                current: fixture.current, staged: fixture.staged, files: fixture.files,
                loop: fixture.loop)
            #expect(decision == .hotUpgrade(from: "0.1.1", to: "0.1.2"))

            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "secret after")
            #expect(outcome == .succeeded)
            #expect(
                fixture.logLines.withLock { $0 } == [
                    "[info] Unpacked successfully: ~c\"0.1.2\"",
                    "[info] Installed Release: ~c\"0.1.2\"",
                    "[info] Made release permanent: 0.1.2",
                ])
            #expect(try await fixture.processID() == processID)
            #expect(try await fixture.report() == 3)
            // From the new release's config/runtime.exs, with the environment given for it.
            #expect(try await fixture.greeting() == "secret after")
            let libraries = hasReleasesFile ? 12 : 0
            #expect(
                try await fixture.releases()
                    == ["0.1.2 permanent 12", "0.1.1 old \(libraries)"])
            #expect(
                try await fixture.call("code", "lib_dir", .atom("counter")).asText
                    == fixture.current + "/lib/counter-0.1.2")

            // Nothing of it stays on disk.
            let configuration = try fixture.files.read(
                fixture.current + "/releases/0.1.2/sys.config", limit: 1 << 20)
            let pristine = try fixture.files.read(
                fixture.staged + "/releases/0.1.2/sys.config", limit: 1 << 20)
            #expect(configuration == pristine)
            try fixture.files.removeTree(fixture.staged)

            release.process.kill()
            _ = try await fixture.boot(greeting: "cold")
            #expect(try await fixture.report() == 0)
            #expect(try await fixture.greeting() == "cold")
            #expect(
                try await fixture.releases()
                    == ["0.1.2 permanent 12", "0.1.1 old \(libraries)"])
        }
    }

    @Test func `a code change that fails restarts the old release in place`() async throws {
        try await withRelease("0.1.2") { fixture, _ in
            let processID = try await fixture.processID()
            try await fixture.unpack("0.1.4", into: fixture.staged)
            let outcome = try await fixture.upgrade(
                from: "0.1.2", to: "0.1.4", greeting: "after")
            guard case .restarting(let reason) = outcome else {
                Issue.record("expected a failure, not \(outcome)")
                return
            }
            #expect(reason.contains("code_change_failed"))
            try await eventuallySucceeds { _ = try await fixture.report() }
            #expect(try await fixture.processID() == processID)
            #expect(try await fixture.report() == 0)
            #expect(try await fixture.greeting() == "before")
            #expect(try await fixture.releases().contains("0.1.2 permanent 12"))
            #expect(try fixture.files.status(fixture.current + "/releases/0.1.4") == nil)
            #expect(try fixture.files.status(fixture.current + "/lib/counter-0.1.4") == nil)
        }
    }

    @Test func `a package without a way from the running version leaves the node untouched`()
        async throws
    {
        try await withRelease("0.1.2") { fixture, release in
            try await fixture.unpack("0.2.0", into: fixture.staged)
            // Twice: the first attempt leaves nothing that could disturb the second.
            for _ in 1...2 {
                let outcome = try await fixture.upgrade(
                    from: "0.1.2", to: "0.2.0", greeting: "after")
                guard case .failed(let reason, let nodeIsUntouched) = outcome else {
                    Issue.record("expected a failure, not \(outcome)")
                    return
                }
                #expect(nodeIsUntouched)
                #expect(reason.hasPrefix("systools:make_relup failed, reason: error: "))
                #expect(reason.contains("counter.appup"))
                #expect(try await fixture.report() == 3)
                #expect(try await fixture.greeting() == "before")
                #expect(try await fixture.releases() == ["0.1.2 permanent 12"])
                #expect(try fixture.files.status(fixture.current + "/releases/0.2.0") == nil)
                #expect(try fixture.files.status(fixture.current + "/lib/counter-0.2.0") == nil)
            }
            release.process.kill()
            _ = try await fixture.boot(greeting: "cold")
            #expect(try await fixture.releases() == ["0.1.2 permanent 12"])
        }
    }

    @Test func `a package without an appup is upgraded by a relup of deployex's own, and back`()
        async throws
    {
        try await withRelease("0.1.1") { fixture, _ in
            let processID = try await fixture.processID()
            try await fixture.unpack("0.2.0", into: fixture.staged)
            func decision(_ mode: HotUpgrade.Mode) async -> UpgradeDecision {
                await HotUpgrade.decide(
                    from: "0.1.1", isConnected: true, to: "0.2.0", name: "counter",
                    current: fixture.current, staged: fixture.staged, mode: mode,
                    files: fixture.files, loop: fixture.loop)
            }
            #expect(await decision(.appup) == .fullDeployment(reason: .notOneAppup(paths: [])))
            #expect(await decision(.off) == .fullDeployment(reason: .off))
            #expect(await decision(.auto) == .hotUpgrade(from: "0.1.1", to: "0.2.0"))
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.2.0", greeting: "after", mode: .auto)
            #expect(outcome == .succeeded)
            #expect(try await fixture.processID() == processID)
            #expect(try await fixture.report() == 3)
            #expect(try await fixture.greeting() == "after")
            #expect(try await fixture.releases() == ["0.2.0 permanent 12", "0.1.1 old 12"])
            // Nobody looks for protocols where the old release has them.
            let path = try await fixture.call("code", "get_path").asList?.compactMap(\.asText)
            #expect(
                path?.filter { $0.hasSuffix("consolidated") }
                    == [fixture.current + "/releases/0.2.0/consolidated"])
            let down = try await fixture.call(
                "release_handler", "install_release", .charlist("0.1.1"),
                [.tuple([.atom("update_paths"), true])])
            #expect(down.asTuple?.first == .atom(.ok))
            #expect(try await fixture.processID() == processID)
            #expect(try await fixture.report() == 3)
        }
    }

    @Test func `what an appup leaves out is loaded, too, and without that nothing is upgraded`()
        async throws
    {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.1.2", into: fixture.staged)
            let server = "[{update, 'Elixir.Counter.Server', {advanced, []}}]"
            let appup = "{\"0.1.2\", [{\"0.1.1\", \(server)}], [{\"0.1.1\", \(server)}]}.\n"
            try fixture.files.replaceFile(
                fixture.staged + "/lib/counter-0.1.2/ebin/counter.appup", with: Array(appup.utf8),
                mode: 0o644)
            let processID = try await fixture.processID()
            let refused = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "after")
            guard case .failed(let reason, nodeIsUntouched: true) = refused else {
                Issue.record("expected a failure, not \(refused)")
                return
            }
            #expect(reason.contains("changed, and not loaded: Elixir.Counter.Pages"))
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "after", mode: .auto)
            #expect(outcome == .succeeded)
            #expect(try await fixture.processID() == processID)
            #expect(try await fixture.report() == 3)
        }
    }

    @Test func `a process that no supervisor names is not upgraded by a relup of deployex's own`()
        async throws
    {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.2.0", into: fixture.staged)
            // Another server of the same module, with a state of its own.
            _ = try await fixture.call(
                "gen_server", "start", .atom("Elixir.Counter.Server"), [], [])
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.2.0", greeting: "after", mode: .auto)
            guard case .failed(let reason, nodeIsUntouched: true) = outcome else {
                Issue.record("expected a failure, not \(outcome)")
                return
            }
            #expect(reason.hasSuffix("no supervisor names their module: Elixir.Counter.Server"))
            #expect(try await fixture.report() == 3)
            #expect(try await fixture.releases() == ["0.1.1 permanent 12"])
        }
    }

    @Test func `what another attempt has unpacked is replaced`() async throws {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.1.2", into: fixture.staged)
            let release = fixture.current + "/releases/0.1.2"
            try fixture.files.makeFolder(release, mode: 0o755)
            try fixture.files.copyFile(
                fixture.package("0.1.2"), to: release + "/counter.tar.gz", mode: 0o644)
            let unpacked = try await fixture.call(
                "release_handler", "unpack_release", .charlist("0.1.2/counter"))
            #expect(unpacked == .tuple([.atom(.ok), .charlist("0.1.2")]))
            #expect(try await fixture.releases() == ["0.1.2 unpacked 12", "0.1.1 permanent 12"])
            try fixture.files.replaceFile(
                fixture.current + "/lib/counter-0.1.2/ebin/Elixir.Counter.Pages.beam",
                with: [1, 2, 3])
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "after")
            #expect(outcome == .succeeded)
            #expect(try await fixture.report() == 3)
            #expect(try await fixture.releases() == ["0.1.2 permanent 12", "0.1.1 old 12"])
        }
    }

    @Test func `a configuration that cannot be resolved leaves the node untouched`() async throws {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.1.2", into: fixture.staged)
            let runtime = fixture.staged + "/releases/0.1.2/runtime.exs"
            for (text, expected) in [
                (
                    "import Config\nconfig :counter, handler: self()\n",
                    "counter.handler holds a pid"
                ),
                ("import Config\nraise \"secret\"\n", "it ended with status 1 (RuntimeError)"),
            ] {
                try fixture.files.replaceFile(runtime, with: Array(text.utf8))
                let outcome = try await fixture.upgrade(
                    from: "0.1.1", to: "0.1.2", greeting: "after")
                let reason: String
                switch outcome {
                case .failed(let text, nodeIsUntouched: true), .cannotBoot(let text): reason = text
                default:
                    Issue.record("expected a failure, not \(outcome)")
                    return
                }
                #expect(reason.contains(expected))
                #expect(!reason.contains("secret"))
            }
            #expect(try await fixture.greeting() == "before")
            #expect(try await fixture.releases() == ["0.1.1 permanent 12"])
        }
    }

    @Test func `a local function in the configuration is there after the upgrade, and works`()
        async throws
    {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.1.2", into: fixture.staged)
            try fixture.files.replaceFile(
                fixture.staged + "/releases/0.1.2/runtime.exs",
                with: Array(
                    """
                    import Config
                    # As in an Ecto configuration with TLS.
                    match = :public_key.pkix_verify_hostname_match_fun(:https)
                    config :counter, greeting: "after", ssl: [customize: [match_fun: match]]
                    """.utf8))
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "after")
            #expect(outcome == .succeeded)
            #expect(fixture.logLines.withLock { $0.count } == 3, "no setting differs")
            #expect(try await fixture.greeting() == "after")
            let setting = try await fixture.call(
                "application", "get_env", .atom("counter"), .atom("ssl"))
            let function = setting.asTuple?.last?.asList?.first?.asTuple?.last?.asList?.first?
                .asTuple?.last
            guard case .fun(let fun)? = function else {
                Issue.record("\(setting)")
                return
            }
            #expect(fun.module == "public_key")
            // A name and a wildcard that it matches.
            let matches = try await fixture.call(
                "erlang", "apply", .fun(fun),
                [
                    .tuple([.atom("dns_id"), .charlist("shop.example.com")]),
                    .tuple([.atom("dNSName"), .charlist("*.example.com")]),
                ])
            #expect(matches == .atom("true"))
            let folder = fixture.current + "/releases/0.1.2"
            #expect(try fixture.files.status(folder + "/relup.pristine") == nil)
            let relup = try fixture.files.read(folder + "/relup", limit: 1 << 20)
            #expect(!String(decoding: relup, as: UTF8.self).contains("binary_to_term"))
        }
    }

    @Test func `code that was loaded by hand keeps the upgrade from beginning`() async throws {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.1.2", into: fixture.staged)
            // What a developer does in a remote shell.
            let path = fixture.staged + "/lib/counter-0.1.2/ebin/Elixir.Counter.Pages"
            let loaded = try await fixture.call("code", "load_abs", .charlist(path))
            #expect(loaded == .tuple([.atom("module"), .atom("Elixir.Counter.Pages")]))
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "after")
            #expect(
                outcome
                    == .failed(
                        reason:
                            "the node runs other code than its release has: Elixir.Counter.Pages",
                        nodeIsUntouched: true))
            #expect(try await fixture.releases() == ["0.1.1 permanent 12"])
        }
    }

    @Test func `what providers resolve by rebooting the emulator is in effect, too`() async throws {
        try await withRelease("0.1.1") { fixture, _ in
            try await fixture.unpack("0.1.2", into: fixture.staged)
            let path = fixture.staged + "/releases/0.1.2/sys.config"
            let text = String(
                decoding: try fixture.files.read(path, limit: 1 << 20), as: UTF8.self)
            let rebooting = text.replacing(
                "reboot_system_after_config => false", with: "reboot_system_after_config => true"
            ).replacing("RUNTIME_CONFIG=false", with: "RUNTIME_CONFIG=true")
            #expect(rebooting != text)
            try fixture.files.replaceFile(path, with: Array(rebooting.utf8))
            let outcome = try await fixture.upgrade(
                from: "0.1.1", to: "0.1.2", greeting: "after")
            #expect(outcome == .succeeded)
            #expect(try await fixture.greeting() == "after")
            #expect(try await fixture.report() == 3)
        }
    }
}

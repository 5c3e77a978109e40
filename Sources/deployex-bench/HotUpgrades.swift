internal import Glibc
internal import TestKit
internal import Transport

/// From publishing a version until all instances serve it, beside the same upgrade by hand: an Erlang
/// shell that makes the calls of `release_handler` one after the other, for one instance after the other.
enum HotUpgrades {
    static func measure(_ peers: Peers) async throws -> [Row] {
        guard let packages = ThisHost.environment["DEPLOYEX_EXAMPLE_PACKAGES"] else {
            throw TestFailure("DEPLOYEX_EXAMPLE_PACKAGES is not set: `make bench` sets it")
        }
        var rows: [Row] = []
        for (count, bound) in [(3, 0.8), (1, 1.0)] {
            var series = Series()
            for _ in 0..<peers.effort.hotUpgradeRounds {
                series.append(
                    ours: try await measure { try UpgradedByDeployex(count, packages) },
                    peer: try await measure { try UpgradedByHand(count, packages) })
            }
            rows.append(
                Row(
                    measure: "hot upgrade, \(count) instance\(count == 1 ? "" : "s")", unit: "ms",
                    peer: "by hand", series: series, target: .atMost(bound)))
        }
        return rows
    }

    /// The milliseconds that an upgrade takes.
    @concurrent private static func measure(
        _ make: @Sendable () throws -> any UpgradedInstances
    ) async throws -> Double {
        let instances = try make()
        defer { instances.end() }
        do {
            try instances.waitUntilAllServe("0.1.1", within: .seconds(60))
            // What a start leaves to do is not part of it.
            usleep(2_000_000)
            let begin = MonotonicTime.now
            try instances.upgrade()
            try instances.waitUntilAllServe("0.1.2", within: .seconds(60))
            return (MonotonicTime.now - begin).inSeconds * 1000
        } catch {
            throw TestFailure("\(error)\n\(Files.text(instances.site.logPath).suffix(4000))")
        }
    }
}

/// Instances of the example that run 0.1.1, and a way to bring them to 0.1.2. All of it blocks.
private protocol UpgradedInstances {
    var site: DeployexSite { get }
    var count: Int { get }
    /// Begins the upgrade, or does it.
    func upgrade() throws
    func end()
}

extension UpgradedInstances {
    func waitUntilAllServe(_ version: String, within limit: Duration) throws {
        let deadline = MonotonicTime.now + limit
        for number in 0..<count {
            while LoopbackHTTP.request("GET", "/", port: site.firstPort + number)?
                .contains("\"version\":\"\(version)\"") != true
            {
                guard MonotonicTime.now < deadline else {
                    throw TestFailure("instance \(number + 1) does not serve \(version)")
                }
                usleep(2000)
            }
        }
    }
}

private final class UpgradedByDeployex: UpgradedInstances {
    let site: DeployexSite
    let count: Int
    private var children: [ChildProcess] = []

    init(_ count: Int, _ packages: String) throws {
        self.count = count
        site = try DeployexSite("bench-hot", instances: count)
        let deployex = BuiltProgram.beside("deployex")
        let environment = site.environment.merging(site.application(replicas: count)) { $1 }
        children.append(
            try ChildProcess(
                deployex, ["epmd"], environment: environment,
                output: .file(site.folder + "/epmd.log")))
        for version in ["0.1.1", "0.1.2"] { try site.place(version, from: packages) }
        try site.publish("0.1.1")
        children.append(
            try ChildProcess(
                deployex, ["start"], environment: environment, output: .file(site.logPath)))
    }

    func upgrade() throws { try site.publish("0.1.2") }

    func end() {
        for child in children { child.kill() }
        DeployexSite.remove(site.folder)
    }
}

private final class UpgradedByHand: UpgradedInstances {
    let site: DeployexSite
    let count: Int
    private var children: [ChildProcess] = []
    private let shell: ChildProcess

    init(_ count: Int, _ packages: String) throws {
        self.count = count
        site = try DeployexSite("bench-hand", instances: count)
        let (folder, firstPort) = (site.folder, site.firstPort)
        let epmd = try ChildProcess(
            "epmd", ["-port", "\(site.epmdPort)", "-address", "127.0.0.1"],
            environment: site.environment, output: .file(folder + "/epmd.log"))
        children.append(epmd)
        for number in 1...count {
            let current = "\(folder)/\(number)"
            try Files.makeFolders(current)
            try ChildProcess.run(
                "tar", ["-xzf", "\(packages)/counter-0.1.1.tar.gz", "-C", current],
                environment: site.environment)
            let variables = [
                "RELEASE_NODE_SUFFIX": "-\(number)", "PORT": "\(firstPort + number - 1)",
                "GREETING": "by hand", "RELEASE_COOKIE": DeployexSite.cookie,
            ]
            children.append(
                try ChildProcess(
                    "\(current)/bin/counter", ["start"],
                    environment: site.environment.merging(variables) { $1 },
                    output: .file("\(folder)/\(number).log")))
        }
        // A shell with the calls typed, which waits for the return key.
        shell = try ChildProcess(
            "erl",
            [
                "-sname", "by-hand", "-setcookie", DeployexSite.cookie, "-noshell", "-eval",
                Self.calls(count, folder, packages),
            ], environment: site.environment, input: .pipe, output: .pipe)
        _ = try shell.line(after: "ready", within: .seconds(60))
    }

    /// The upgrade of each instance, once a line has come.
    private static func calls(_ count: Int, _ folder: String, _ packages: String) -> String {
        """
        {ok, Host} = inet:gethostname(),
        io:format("ready~n"),
        io:get_line(""),
        lists:foreach(fun(I) ->
            Node = list_to_atom("counter-" ++ integer_to_list(I) ++ "@" ++ Host),
            Root = "\(folder)/" ++ integer_to_list(I),
            Releases = Root ++ "/releases",
            ok = filelib:ensure_dir(Releases ++ "/0.1.2/"),
            {ok, _} = file:copy("\(packages)/counter-0.1.2.tar.gz", Releases ++ "/0.1.2/counter.tar.gz"),
            Call = fun(M, F, A) -> rpc:call(Node, M, F, A) end,
            {ok, _} = Call(release_handler, unpack_release, ["0.1.2/counter"]),
            {ok, _} = file:copy(Releases ++ "/0.1.1/counter.rel", Releases ++ "/counter-0.1.1.rel"),
            {ok, Rel} = erl_tar:extract("\(packages)/counter-0.1.2.tar.gz",
                                        [compressed, memory, {files, ["releases/0.1.2/counter.rel"]}]),
            ok = file:write_file(Releases ++ "/counter-0.1.2.rel", element(2, hd(Rel))),
            ok = Call(systools, make_relup,
                      [Releases ++ "/counter-0.1.2", [Releases ++ "/counter-0.1.1"],
                       [Releases ++ "/counter-0.1.1"],
                       [{path, [Root ++ "/lib/*/ebin"]}, {outdir, Releases ++ "/0.1.2"}]]),
            {ok, "0.1.1", _} = Call(release_handler, check_install_release, ["0.1.2"]),
            {ok, "0.1.1", _} = Call(release_handler, install_release, ["0.1.2", [{update_paths, true}]]),
            ok = Call(release_handler, make_permanent, ["0.1.2"])
        end, lists:seq(1, \(count))),
        io:format("done~n"),
        halt().
        """
    }

    func upgrade() throws {
        try shell.write("\n")
        _ = try shell.line(after: "done", within: .seconds(60))
    }

    func end() {
        shell.kill()
        for child in children { child.kill() }
        DeployexSite.remove(site.folder)
    }
}

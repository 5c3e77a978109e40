import Foundation
import Glibc
import TestKit
import Testing

/// What deployex tells over HTTP of this host and of a real release's node.
@Suite(.timeLimit(.minutes(3))) struct NodeRouteTests {
    private static let token = "a-token-of-sixteen-bytes"

    @concurrent private func ask(_ port: Int, _ path: String) async throws -> [String: Any] {
        let text = try ChildProcess.run(
            "/usr/bin/curl",
            [
                "--noproxy", "*", "--max-time", "30", "-sS", "-H",
                "Authorization: Bearer \(Self.token)", "http://127.0.0.1:\(port)/api/v1\(path)",
            ])
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(value as? [String: Any], "\(path): \(text)")
    }

    /// Waits for two events of each of two topics.
    @concurrent private func watch(_ port: Int, _ topics: String) async throws {
        let curl = try ChildProcess(
            "/usr/bin/curl",
            [
                "--noproxy", "*", "-sS", "-N", "-H", "Authorization: Bearer \(Self.token)",
                "http://127.0.0.1:\(port)/api/v1/events?topics=\(topics)",
            ], output: .pipe)
        var counts: [String: Int] = [:]
        while counts["node", default: 0] < 2 || counts["host", default: 0] < 2 {
            counts[try curl.line(after: "event: ", within: .seconds(30)), default: 0] += 1
        }
        curl.kill()
    }

    private func number(_ value: Any?) -> Double { (value as? NSNumber)?.doubleValue ?? -1 }

    @Test func `a node tells its figures, processes, tree and tables, and what it left in a crash`()
        async throws
    {
        let port = FreePorts.take()
        var options = DeployexWorld.Options()
        options.variables = [
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
            "DEPLOYEX_API_TOKEN": Self.token,
        ]
        let world = try DeployexWorld(options)
        try await attempt {
            try await world.start()
            let base = "/apps/counter/instances/1"
            try await eventuallySucceeds { () async throws in
                #expect(try await ask(port, "\(base)/node")["error"] != nil)
            }
            try await world.publish("0.1.0")
            try await world.waitForStatus(of: 1) { $0.status == "running" }
            let host = try await ask(port, "/host")
            #expect(number(host["cpus"]) >= 1)
            #expect(number(host["cpu_percent"]) >= 0)
            #expect(number((host["memory"] as? [String: Any])?["available_bytes"]) > 0)
            #expect((host["disk"] as? [String: Any])?["path"] as? String == world.base)
            #expect((host["deployex"] as? [String: Any])?["node"] is String)
            let node = try await ask(port, "\(base)/node")
            #expect(number((node["memory"] as? [String: Any])?["total"]) > 1_000_000)
            #expect((node["history"] as? [Any])?.count == 1)
            let details = try await ask(port, "\(base)/details")
            #expect(details["elixir"] is String, "\(details)")
            let applications = details["applications"] as? [[String: Any]] ?? []
            #expect(
                applications.contains {
                    $0["name"] as? String == "counter" && $0["version"] as? String == "0.1.0"
                })
            #expect(details["certificate"] is NSNull)
            let processes = try await ask(port, "\(base)/processes?sort=reductions&limit=5")
            let list = processes["processes"] as? [[String: Any]] ?? []
            #expect(list.count == 5)
            let pid = try #require(list.first?["pid"] as? String)
            let path = pid.replacing("<", with: "%3C").replacing(">", with: "%3E")
            let process = try await ask(port, "\(base)/processes/\(path)?state=1")
            #expect(process["pid"] as? String == pid, "\(process)")
            let tree = try await ask(port, "\(base)/tree?application=counter")
            #expect((tree["children"] as? [Any])?.isEmpty == false, "\(tree)")
            let tables = try await ask(port, "\(base)/ets")
            #expect((tables["tables"] as? [Any])?.isEmpty == false)
            try await watch(port, "node/counter/1,host")
            let metrics = try ChildProcess.run(
                "/usr/bin/curl", ["--noproxy", "*", "-sS", "http://127.0.0.1:\(port)/metrics"])
            #expect(metrics.contains(#"erlang_vm_process_count{app="counter",instance="1"}"#))
            #expect(try await ask(port, "\(base)/crash-dump")["error"] != nil)
            // The virtual machine writes a dump at this signal, and ends.
            let beam = try #require(try await world.status(of: 1).osPid)
            try await world.signalMachine(of: beam)
            try await eventuallySucceeds { () async throws in
                let dump = try await ask(port, "\(base)/crash-dump")
                guard dump["complete"] as? Bool == true else {
                    throw TestFailure("no whole dump: \(dump)")
                }
                #expect((dump["slogan"] as? String)?.contains("SIGUSR1") == true)
                #expect((dump["processes"] as? [Any])?.count == 30)
            }
        } thenAlways: {
            await world.end()
        }
    }
}

extension DeployexWorld {
    /// Lets the virtual machine that an instance's process has become, or has started, crash.
    fileprivate func signalMachine(of leader: Int32) throws {
        let machine = ProcFolder.pids.first { pid in
            ProcFolder.session(pid) == leader
                && ProcFolder.program(pid)?.contains("/beam.") == true
        }
        guard let machine, Glibc.kill(machine, SIGUSR1) == 0 else {
            throw TestFailure("no virtual machine in the session of \(leader)")
        }
    }
}

import Foundation
import Glibc
import TestKit
import Testing

/// deployex's address for machines, asked by curl: health, figures, and the API.
@Suite(.timeLimit(.minutes(3))) struct HTTPAddressTests {
    private static let token = "a-token-of-sixteen-bytes"

    private func world(_ variables: [String: String]) throws -> (DeployexWorld, port: Int) {
        let port = FreePorts.take()
        var options = DeployexWorld.Options()
        options.variables = [
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
        ].merging(variables) { $1 }
        return (try DeployexWorld(options), port)
    }

    private struct Answer {
        var status: Int
        var text: String
    }

    private func ask(
        _ port: Int, _ path: String, _ arguments: [String] = [], token: String? = nil
    ) async throws -> Answer {
        let header = token.map { ["-H", "Authorization: Bearer \($0)"] } ?? []
        let text = try await offloadCurl(
            ["-sS", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"] + header + arguments)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return Answer(
            status: Int(lines.last ?? "") ?? 0, text: lines.dropLast().joined(separator: "\n"))
    }

    @concurrent private func offloadCurl(_ arguments: [String]) async throws -> String {
        try ChildProcess.run(
            "/usr/bin/curl", ["--noproxy", "*", "--max-time", "20"] + arguments)
    }

    @Test func `health, figures and commands`() async throws {
        let (world, port) = try world(["DEPLOYEX_API_TOKEN": Self.token])
        try await attempt {
            try await world.start()
            try await world.waitForLog("Access deployex at http://localhost:\(port)")
            #expect(try await ask(port, "/health").status == 503)
            try await world.publish("0.1.0")
            try await world.waitForStatus(of: 1) { $0.status == "running" && $0.version == "0.1.0" }
            let health = try await ask(port, "/health")
            #expect(health.status == 200, "\(health.text)")
            let figures = try await ask(port, "/metrics")
            #expect(
                figures.text.contains(
                    #"deployex_instance_status{app="counter",instance="1",status="running"} 1"#))
            #expect(try await ask(port, "/api/v1/status").status == 401)
            let status = try await ask(port, "/api/v1/status", token: Self.token)
            let printed = try await world.command("status", "--json").stdout
            let version = #""version": "0.1.0""#
            #expect(status.text.contains(version) && printed.contains(version))
            let before = try await world.status(of: 1).osPid
            let restart = try await ask(
                port, "/api/v1/apps/counter/instances/1/restart", ["-X", "POST"],
                token: Self.token)
            #expect(restart.status == 202, "\(restart.text)")
            try await world.waitForStatus(of: 1) { $0.status == "running" && $0.osPid != before }
            try await world.waitForLog(
                "counter: restart of instance 1 asked for by the API (this host's loopback)")
            for (path, code) in [
                ("/api/v1/apps/other/rollback", 404),
                ("/api/v1/apps/counter/instances/2/restart", 404),
                ("/api/v1/apps/counter/rollback", 409),
            ] {
                let answer = try await ask(port, path, ["-X", "POST"], token: Self.token)
                #expect(answer.status == code, "\(answer.text)")
            }
            // The application does not get the token.
            let pid = try #require(try await world.status(of: 1).osPid)
            #expect(ProcFolder.environment(pid_t(pid))["DEPLOYEX_API_TOKEN"] == nil)
            let log = try String(contentsOfFile: world.logPath, encoding: .utf8)
            #expect(!log.contains(Self.token))
        } thenAlways: {
            await world.end()
        }
    }

    @Test func `a port that is taken is a warning, and is tried again`() async throws {
        let (world, port) = try world([:])
        let holder = try HeldPort(port)
        try await attempt {
            try await world.start()
            try await world.waitForLog("HTTP: listening on 127.0.0.1:\(port)")
            holder.release()
            try await world.waitForLog("Access deployex at http://localhost:\(port)")
            // Nobody has published anything.
            #expect(try await ask(port, "/health").status == 503)
            // Without a token the API answers nobody.
            #expect(try await ask(port, "/api/v1/status", token: "x").status == 403)
        } thenAlways: {
            await world.end()
        }
    }

    @Test func `a token that is too short, and a file that others can read, are refused`()
        async throws
    {
        let (world, _) = try world([:])
        let file = world.folder + "/token"
        try Self.token.write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o644)
        try await attempt {
            for (variables, text) in [
                (["DEPLOYEX_API_TOKEN": "short"], "DEPLOYEX_API_TOKEN: at least 16"),
                (["DEPLOYEX_API_TOKEN_FILE": file], "DEPLOYEX_API_TOKEN_FILE: "),
            ] {
                try await world.launchDeployex(adding: variables)
                #expect(try await world.waitForDeployex() == 2)
                try await world.waitForLog(text)
            }
            #expect(try !String(contentsOfFile: world.logPath, encoding: .utf8).contains("short\""))
        } thenAlways: {
            await world.end()
        }
    }
}

/// A port that somebody else listens on.
private final class HeldPort: @unchecked Sendable {
    private var descriptor: Int32

    init(_ port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0, listen(descriptor, 1) == 0 else {
            throw TestFailure("port \(port) cannot be held")
        }
    }

    func release() { close(descriptor) }
}

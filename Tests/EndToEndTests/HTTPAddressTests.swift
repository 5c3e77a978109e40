import Foundation
import Glibc
import TestKit
import Testing

/// deployex's address for machines, asked by curl: health, figures, and the API.
@Suite(.timeLimit(.minutes(3))) struct HTTPAddressTests {
    private static let token = "a-token-of-sixteen-bytes"

    private func world(
        _ variables: [String: String], port: Int = FreePorts.take()
    ) throws -> (DeployexWorld, port: Int) {
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

    private func logIn(_ port: Int, _ content: String) async throws -> Answer {
        try await ask(
            port, "/api/v1/session",
            ["-d", content, "-H", "Origin: http://127.0.0.1:\(port)"])
    }

    /// What follows the last `/login?` in a text.
    private func link(in text: String) throws -> String {
        let found = try #require(text.split(separator: "/login?").dropFirst().last)
        return String(found.prefix { $0.isHexDigit })
    }

    @Test func `without a password, links log in: once each`() async throws {
        let (world, port) = try world([:])
        try await attempt {
            try await world.start()
            let line = try await world.waitForLog("Log in with http://localhost:\(port)/login?")
            let first = try link(in: line)
            #expect(try await logIn(port, #"{"link": "\#(first)"}"#).status == 200)
            #expect(try await logIn(port, #"{"link": "\#(first)"}"#).status == 401)
            let printed = try await world.command("login-link")
            #expect(printed.status == 0)
            #expect(printed.stdout.hasPrefix("http://localhost:\(port)/login?"))
            let second = try link(in: printed.stdout)
            let answer = try await logIn(port, #"{"link": "\#(second)"}"#)
            #expect(answer.status == 200 && answer.text.contains(#""role": "administrator""#))
            try await world.waitForLog("login of the administrator of session 2", "with a link")
            // The log shows the first one, and no other.
            #expect(try !String(contentsOfFile: world.logPath, encoding: .utf8).contains(second))
        } thenAlways: {
            await world.end()
        }
    }

    @Test func `with a password, the log shows no link`() async throws {
        let hasher = try ChildProcess(
            BuiltProgram.deployex, ["hash-password"], input: .pipe, output: .pipe)
        try hasher.write("correct horse battery\n")
        let hash = try await offloadWait(hasher).trimmingCharacters(in: .whitespacesAndNewlines)
        let (world, port) = try world(["DEPLOYEX_ADMIN_PASSWORD_HASH": hash])
        try await attempt {
            try await world.start()
            try await world.waitForLog("Access deployex at http://localhost:\(port)")
            let wrong = try await logIn(port, #"{"password": "correct horse"}"#)
            #expect(wrong.status == 401)
            let right = try await logIn(port, #"{"password": "correct horse battery"}"#)
            #expect(right.status == 200, "\(right.text)")
            try await world.waitForLog("A wrong password from this host's loopback")
            let log = try String(contentsOfFile: world.logPath, encoding: .utf8)
            #expect(!log.contains("/login?") && !log.contains(hash) && !log.contains("horse"))
        } thenAlways: {
            await world.end()
        }
    }

    @Test func `over HTTPS, with a certificate that is renewed`() async throws {
        let (world, port) = try world([:])
        let folder = world.folder
        func makeCertificate(_ name: String) async throws {
            try await offloadOpenSSL([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder + "/new.key", "-out",
                folder + "/new.crt",
            ])
            chmod(folder + "/new.key", 0o600)
            rename(folder + "/new.key", folder + "/web.key")
            rename(folder + "/new.crt", folder + "/web.crt")
        }
        func subject() async throws -> String {
            try await offloadCurl([
                "-sS", "--cacert", folder + "/web.crt", "-o", "/dev/null", "-w", "%{certs}",
                "https://localhost:\(port)/",
            ])
        }
        try await makeCertificate("first")
        try await attempt {
            try await world.startDeployex(adding: [
                "DEPLOYEX_HTTP_CERTIFICATE": folder + "/web.crt",
                "DEPLOYEX_HTTP_KEY": folder + "/web.key",
            ])
            try await world.waitForLog("Access deployex at https://localhost:\(port)")
            #expect(try await subject().contains("first"))
            try await makeCertificate("second")
            #expect(try await subject().contains("second"))
            try await world.waitForLog("HTTPS: The TLS files have changed")
        } thenAlways: {
            await world.end()
        }
    }

    @concurrent private func offloadOpenSSL(_ arguments: [String]) async throws {
        try ChildProcess.run(ThisHost.find("openssl"), arguments, errors: .null)
    }

    @concurrent private func offloadWait(_ process: ChildProcess) async throws -> String {
        process.closeInput()
        return try process.wait().output
    }

    @Test func `a port that is taken is a warning, and is tried again`() async throws {
        let holder = try HeldPort()
        let (world, port) = try world([:], port: holder.port)
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

    @Test func `where another program has what localhost also means, nobody is led there`()
        async throws
    {
        let holder = try HeldPort(isOfIPv6: true)
        let (world, port) = try world([:], port: holder.port)
        try await attempt {
            try await world.start()
            try await world.waitForLog("HTTP: listening on [::1]:\(port)")
            let refused = try await world.command("login-link")
            #expect(refused.status == 1 && refused.stderr.contains("another program has its port"))
            holder.release()
            try await world.waitForLog("Access deployex at http://localhost:\(port)")
            #expect(try await world.command("login-link").status == 0)
            #expect(try await ask(port, "/health").status == 503)
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
    let port: Int
    private let descriptor: Int32

    /// On 127.0.0.1, or on ::1. Where the host's other programs are faster, the next port is tried.
    init(isOfIPv6: Bool = false) throws {
        var reason = ""
        for _ in 0..<20 {
            let port = FreePorts.take()
            // Programs of other tests must not inherit it.
            let raw = socket(
                isOfIPv6 ? AF_INET6 : AF_INET,
                Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            // What an earlier test has connected to may still be in TIME_WAIT.
            var yes: Int32 = 1
            setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
            let code =
                isOfIPv6
                ? Self.bind(raw, Self.loopbackOfIPv6(port)) : Self.bind(raw, Self.loopback(port))
            if code == 0, listen(raw, 1) == 0 {
                (self.port, descriptor) = (port, raw)
                return
            }
            reason = "port \(port) cannot be held: \(String(cString: strerror(errno)))"
            close(raw)
        }
        throw TestFailure(reason)
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func loopbackOfIPv6(_ port: Int) -> sockaddr_in6 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = in_port_t(UInt16(port).bigEndian)
        address.sin6_addr = in6addr_loopback
        return address
    }

    private static func bind<Address>(_ descriptor: Int32, _ address: Address) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    func release() { close(descriptor) }
}

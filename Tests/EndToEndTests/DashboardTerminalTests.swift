import Foundation
import Glibc
import TestKit
import Testing

/// The remote shell of a real release over HTTP, asked by curl.
@Suite(.timeLimit(.minutes(3))) struct DashboardTerminalTests {
    private struct Login: Decodable {
        var token: String
        var terminal: Bool
    }

    /// A browser's session.
    private struct Browser: Sendable {
        var port: Int
        var folder: String
        var token = ""

        var origin: String { "http://localhost:\(port)" }

        var arguments: [String] {
            [
                "--noproxy", "*", "-b", folder + "/cookies", "-c", folder + "/cookies", "-H",
                "Origin: \(origin)", "-H", "X-Deployex-Token: \(token)",
            ]
        }

        @concurrent func ask(
            _ method: String, _ path: String, _ content: String = ""
        ) async throws -> (status: Int, text: String) {
            let text = try ChildProcess.run(
                "/usr/bin/curl",
                arguments + [
                    "-sS", "--max-time", "20", "-X", method, "--data-binary", content, "-w",
                    "\n%{http_code}", "\(origin)/api/v1/\(path)",
                ])
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
        }

        /// Follows topics, into a file.
        func follow(_ topics: String, into file: String) throws -> ChildProcess {
            try ChildProcess(
                "/usr/bin/curl",
                arguments + ["-sN", "-o", file, "\(origin)/api/v1/events?topics=\(topics)"])
        }
    }

    private struct Event: Decodable {
        var data: String?
        var ended: String?
    }

    /// What a terminal has shown according to the events in a file, and how it has ended.
    private static func shown(_ file: String) -> (text: String, ended: String?) {
        var bytes = Data()
        var ended: String?
        for line in (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n")
            ?? []
        where line.hasPrefix("data: ") {
            guard
                let event = try? JSONDecoder().decode(
                    Event.self, from: Data(line.dropFirst(6).utf8))
            else { continue }
            bytes += event.data.flatMap { Data(base64Encoded: $0) } ?? Data()
            ended = ended ?? event.ended
        }
        return (String(decoding: bytes, as: UTF8.self), ended)
    }

    private func login(_ world: DeployexWorld, _ port: Int) async throws -> Browser {
        var browser = Browser(port: port, folder: world.folder)
        let link = try await world.command("login-link").stdout
            .trimmingCharacters(in: .newlines)
        let secret = try #require(link.split(separator: "?").last)
        let answer = try await browser.ask("POST", "session", #"{"link": "\#(secret)"}"#)
        let login = try JSONDecoder().decode(Login.self, from: Data(answer.text.utf8))
        #expect(login.terminal)
        browser.token = login.token
        return browser
    }

    @Test func `an expression is evaluated in the application, and logout ends it all`()
        async throws
    {
        let port = FreePorts.take()
        var options = DeployexWorld.Options()
        options.variables = [
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
        ]
        let world = try DeployexWorld(options)
        try await attempt {
            try await world.start()
            try await world.bring(to: "0.1.0")
            let application = try #require(try await world.status(of: 1).osPid)
            let browser = try await login(world, port)
            let opened = try await browser.ask(
                "POST", "apps/counter/instances/1/terminals", #"{"columns": 90, "rows": 20}"#)
            #expect(opened.status == 201, "\(opened.text)")
            let id = try #require(opened.text.firstMatch(of: #/[0-9a-f]{32}/#)).output
            let file = world.folder + "/terminal"
            let follower = try browser.follow("terminal/\(id)", into: file)
            defer { follower.kill() }
            try await world.wait("the prompt") { Self.shown(file).text.contains("iex(counter-1@") }
            let typed = try await browser.ask(
                "POST", "terminals/\(id)/input", "{System.pid(), 6 * 7, :io.columns()}\r")
            #expect(typed.status == 204)
            // Of the application itself, on a terminal of the size asked for.
            let result = #"{"\#(application)", 42, {:ok, 90}}"#
            try await world.wait("the result \(result)") {
                Self.shown(file).text.contains(result)
            }
            let mark = await world.logMark
            let resized = try await browser.ask(
                "POST", "terminals/\(id)/size", #"{"columns": 120, "rows": 30}"#)
            #expect(resized.status == 204)
            try await eventually("the new width") {
                _ = try await browser.ask(
                    "POST", "terminals/\(id)/input", ":io.columns()\r")
                return Self.shown(file).text.contains("{:ok, 120}")
            }
            try await world.waitForLog("A terminal on counter-1 was opened by the administrator")
            let shells = try Self.shells(of: world, besides: application)
            #expect(!shells.isEmpty)

            #expect(try await browser.ask("DELETE", "session").status == 204)
            try await world.waitForLog("has ended: its session has ended", after: mark)
            #expect(try Self.shells(of: world, besides: application).isEmpty)
            #expect(try await browser.ask("POST", "terminals/\(id)/input", "x").status == 401)
            #expect(try await world.status(of: 1).osPid == application)
        } thenAlways: {
            await world.end()
        }
    }

    @Test func `a shell that ends says so, and none outlives deployex`() async throws {
        let port = FreePorts.take()
        var options = DeployexWorld.Options()
        options.variables = [
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
        ]
        let world = try DeployexWorld(options)
        try await attempt {
            try await world.start()
            try await world.bring(to: "0.1.0")
            let application = try #require(try await world.status(of: 1).osPid)
            let browser = try await login(world, port)
            for end in [SIGTERM, SIGKILL] {
                if end == SIGKILL { try await world.startDeployex() }
                let browser = end == SIGTERM ? browser : try await login(world, port)
                let opened = try await browser.ask(
                    "POST", "apps/counter/instances/1/terminals", #"{"columns": 90, "rows": 20}"#)
                let id = try #require(opened.text.firstMatch(of: #/[0-9a-f]{32}/#)).output
                let file = world.folder + "/terminal-\(end)"
                let follower = try browser.follow("terminal/\(id)", into: file)
                defer { follower.kill() }
                try await world.wait("the prompt") {
                    Self.shown(file).text.contains("iex(counter-1@")
                }
                if end == SIGTERM {
                    // Leaves the remote shell; the application goes on.
                    _ = try await browser.ask("POST", "terminals/\(id)/input", "\u{1C}")
                    try await world.wait("the end") { Self.shown(file).ended != nil }
                    let again = try await browser.ask(
                        "POST", "apps/counter/instances/1/terminals",
                        #"{"columns": 90, "rows": 20}"#)
                    #expect(again.status == 201)
                }
                #expect(!(try Self.shells(of: world, besides: application).isEmpty))
                _ = try await world.endDeployex(end)
                try await world.wait("no shell to be left after \(end)") {
                    try Self.shells(of: world, besides: application).isEmpty
                }
            }
            #expect(kill(application, 0) == 0)
        } thenAlways: {
            await world.end()
        }
    }

    @Test(.enabled(if: TestAccount.canBeMade))
    func `the shell of an application with a user of its own runs as that user`() async throws {
        try await TestAccount.run { account in
            let port = FreePorts.take()
            var options = DeployexWorld.Options()
            options.epmd = .deployex
            options.variables = [
                "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
                "DEPLOYEX_MONITORED_APP_USER": account.name, "AWS_PROFILE": "root",
            ]
            let world = try DeployexWorld(options)
            try await attempt {
                chmod(world.folder, 0o711)
                try await world.start()
                try await world.bring(to: "0.1.0")
                let application = try #require(try await world.status(of: 1).osPid)
                let browser = try await login(world, port)
                let opened = try await browser.ask(
                    "POST", "apps/counter/instances/1/terminals", #"{"columns": 90, "rows": 20}"#)
                let id = try #require(opened.text.firstMatch(of: #/[0-9a-f]{32}/#)).output
                let file = world.folder + "/terminal"
                let follower = try browser.follow("terminal/\(id)", into: file)
                defer { follower.kill() }
                try await world.wait("the prompt") {
                    Self.shown(file).text.contains("iex(counter-1@")
                }
                let shells = try Self.shells(of: world, besides: application)
                #expect(!shells.isEmpty)
                for pid in shells {
                    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
                    let ids = "\(account.id)\t\(account.id)\t\(account.id)\t\(account.id)\n"
                    #expect(status.contains("Uid:\t\(ids)"))
                    let variables = ProcFolder.environment(pid)
                    #expect(variables["AWS_PROFILE"] == nil && variables["USER"] == account.name)
                }
            } thenAlways: {
                await world.end()
            }
        }
    }

    /// The remote shells of this world's application.
    private static func shells(
        of world: DeployexWorld, besides application: pid_t
    ) throws -> [pid_t] {
        let names = try FileManager.default.contentsOfDirectory(atPath: "/proc")
        return names.compactMap { pid_t($0) }.filter { pid in
            let variables = ProcFolder.environment(pid)
            return pid != application && variables["TERM"] == "xterm-256color"
                && variables["RELEASE_NODE"]?.hasPrefix("counter-1") == true
                && Self.folder(of: pid)?.hasPrefix(world.folder) == true
        }
    }

    /// The working folder of a process; `nil` if it has ended.
    private static func folder(of pid: pid_t) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = readlink("/proc/\(pid)/cwd", &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}

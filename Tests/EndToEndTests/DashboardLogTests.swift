import Foundation
import Glibc
import TestKit
import Testing

/// Logs of a real release over HTTP, asked by curl.
@Suite(.timeLimit(.minutes(3))) struct DashboardLogTests {
    private static let token = "a-token-of-sixteen-bytes"

    private struct Page: Decodable {
        struct Line: Decodable {
            var instance: Int?
            var stream: String
            var cursor: String
            var text: String
            var at: Double?
        }

        var lines: [Line]?
        var matches: [Line]?
        var before: String?
        var after: String?
        var complete: Bool?
    }

    private func ask(_ port: Int, _ path: String) async throws -> Page {
        let text = try await curl([
            "-fsS", "--max-time", "20", "-H", "Authorization: Bearer \(Self.token)",
            "http://127.0.0.1:\(port)/api/v1/\(path)",
        ])
        return try JSONDecoder().decode(Page.self, from: Data(text.utf8))
    }

    @concurrent private func curl(_ arguments: [String]) async throws -> String {
        try ChildProcess.run("/usr/bin/curl", ["--noproxy", "*"] + arguments)
    }

    @Test func `lines, searches, links, and lines as they are written`() async throws {
        let port = FreePorts.take()
        var options = DeployexWorld.Options()
        options.variables = [
            "DEPLOYEX_PHX_SERVER": "true", "DEPLOYEX_PHX_PORT": "\(port)",
            "DEPLOYEX_API_TOKEN": Self.token,
        ]
        let world = try DeployexWorld(options)
        try await attempt {
            try await world.start()
            try await world.bring(to: "0.1.0")
            try await world.say("<script>alert(1)</script> needle 42")
            let log = "\(world.variables["DEPLOYEX_LOG_PATH"] ?? "")/counter/counter-1-stderr.log"
            try await world.wait("the words") {
                world.text(log)?.contains("needle 42") == true
            }
            let found = try await ask(
                port, "logs/search?app=counter&regex=1&q=needle%20%5Cd%2B%24")
            #expect(found.complete == true)
            let match = try #require(found.matches?.first)
            #expect(found.matches?.count == 1)
            #expect(match.text == "<script>alert(1)</script> needle 42")
            #expect(match.instance == 1 && match.stream == "stderr")
            let link = try await ask(port, "logs?app=counter&lines=1&after=\(match.cursor)")
            #expect(link.lines?.first?.text == match.text)
            let page = try await ask(port, "logs?app=counter&instance=1&stream=stderr&lines=1000")
            #expect(page.lines?.last?.text.contains("needle 42") == true)

            let head = world.folder + "/head"
            let download = try await curl([
                "-fsS", "--max-time", "20", "-D", head, "-H",
                "Authorization: Bearer \(Self.token)",
                "http://127.0.0.1:\(port)/api/v1/logs/download?app=counter&instance=1&stream=stderr",
            ])
            #expect(download == world.text(log))
            #expect(
                world.text(head)?.contains("attachment; filename=\"counter-1-stderr.log\"") == true)

            // Lines as they are written, after the page.
            let after = try #require(page.after)
            let stream = world.folder + "/stream"
            let follower = try ChildProcess(
                "/usr/bin/curl",
                [
                    "-sN", "--noproxy", "*", "-o", stream, "-H",
                    "Authorization: Bearer \(Self.token)", "-H", "Last-Event-ID: \(after)",
                    "http://127.0.0.1:\(port)/api/v1/events?topics=log/counter/1/stderr",
                ])
            defer { follower.kill() }
            try await world.say("another word")
            try await world.wait("the event") {
                world.text(stream)?.contains(#""another word""#) == true
            }
            let events = try #require(world.text(stream))
            #expect(events.contains("event: log\n"))
            #expect(!events.contains("needle"), "only what follows the page")

            // A stopped instance still has its log.
            _ = try await world.command("stop", "1")
            try await world.waitForStatus(of: 1) { $0.status == "stopped" || $0.osPid == nil }
            let stopped = try await ask(port, "logs?app=counter&stream=stderr&lines=5000")
            #expect(stopped.lines?.contains { $0.text == "another word" } == true)
        } thenAlways: {
            await world.end()
        }
    }
}

extension DeployexWorld {
    fileprivate func say(_ text: String) throws {
        let result = try command(
            "rpc", "counter-1", "io", "put_chars", "[standard_error, \"\(text)\\n\"]")
        guard result.status == 0 else { throw TestFailure("\(result)") }
    }
}

import Deployment
import Foundation
import Glibc
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import Dashboard

/// The logs of one application in a folder of their own.
private struct Backend: LogBackend {
    let folder = TemporaryFolder()
    let feed: ObservationFeed
    let logWatch: LogWatch

    init(loop: EventLoop) {
        feed = ObservationFeed(loop: loop)
        logWatch = LogWatch(feed: feed)
    }

    func logInventory() -> [LogInventory] {
        [LogInventory(application: "web", isConfigured: true, instances: [1, 2])]
    }

    func logs(of target: LogTarget) throws(DashboardRefusal) -> [LogSource] {
        guard target.application == "web" else {
            throw DashboardRefusal(.notFound, "there is no application of this name")
        }
        return (target.instance.map { [$0] } ?? [1, 2]).flatMap { number in
            (target.stream.map { [$0] } ?? LogFiles.Stream.allCases).map { stream in
                LogSource(
                    instance: number.value, stream: stream,
                    path: folder("web-\(number)-\(stream.rawValue).log"),
                    logs: LogFiles(root: folder.path))
            }
        }
    }

    func watch(_ logs: [LogSource]) async -> WatchedLogs { await logWatch.watch(logs.map(\.path)) }

    func change(
        of logs: WatchedLogs, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) {
        do throws(ObservationFeed.Refusal) {
            try await logWatch.change(of: logs, by: observer, within: limit)
        } catch {
            throw DashboardRefusal(.unavailable, "\(error)")
        }
    }

    func append(_ text: String, _ instance: Int = 1, _ stream: String = "stdout") {
        let raw = open(
            folder("web-\(instance)-\(stream).log"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
            0o640)
        defer { close(raw) }
        #expect(write(raw, text, text.utf8.count) == text.utf8.count)
    }
}

@Suite(.timeLimit(.minutes(1))) struct LogAreaTests {
    private let loop: EventLoop
    private let backend: Backend
    private let area: LogArea
    private let visitor = Visitor(
        .token, .administrator, from: PeerSource(.loopback(port: 1)))

    init() throws {
        loop = try .onOwnThread()
        backend = Backend(loop: loop)
        area = LogArea(backend, loop: loop)
    }

    private func ask(
        _ target: String, of area: LogArea? = nil
    ) async throws -> (status: Int, json: JSONValue) {
        let path = String(target.prefix { $0 != "?" })
        let route = try #require((area ?? self.area).routes.first { $0.pattern == path })
        let head = HTTPRequestHead(method: "GET", target: target, fields: [], host: "localhost")
        let request = RoutedRequest(
            HTTPServerRequest(head: head, peer: .loopback(port: 1)), of: visitor)
        let response: HTTPServerResponse
        do throws(DashboardRefusal) {
            response = try await route.answer(request)
        } catch {
            return (error.status, .string(error.text))
        }
        guard case .bytes(let bytes) = response.content else { return (response.status, .null) }
        return (response.status, try JSONReader.value(bytes))
    }

    private func texts(_ json: JSONValue?) -> [String] {
        guard case .array(let lines)? = json else { return [] }
        return lines.compactMap { $0["text"]?.text }
    }

    @Test func `pages lead back to the first line`() async throws {
        backend.append((1...25).map { "line \($0)\n" }.joined())
        var all: [String] = []
        var before = ""
        while true {
            let page = try await ask(
                "/api/v1/logs?app=web&instance=1&stream=stdout&lines=10\(before)")
            #expect(page.status == 200)
            all = texts(page.json["lines"]) + all
            guard let cursor = page.json["before"]?.text else { break }
            before = "&before=\(cursor)"
        }
        #expect(all == (1...25).map { "line \($0)" })
    }

    @Test func `several logs are merged, each line with its place`() async throws {
        backend.append("2026-01-01T00:00:02Z two\n", 1)
        backend.append("2026-01-01T00:00:01Z one\n", 2, "stderr")
        let page = try await ask("/api/v1/logs?app=web")
        #expect(
            texts(page.json["lines"]) == ["2026-01-01T00:00:01Z one", "2026-01-01T00:00:02Z two"])
        guard case .array(let lines)? = page.json["lines"] else { return }
        #expect(lines[0]["instance"] == .number("2") && lines[0]["stream"]?.text == "stderr")
        guard case .number(let time)? = lines[0]["at"] else {
            Issue.record("no time")
            return
        }
        #expect(Double(time) == 1_767_225_601)
        let cursor = try #require(lines[0]["cursor"]?.text)
        let link = try await ask("/api/v1/logs?app=web&after=\(cursor)")
        #expect(texts(link.json["lines"]) == ["2026-01-01T00:00:01Z one"])
    }

    @Test func `a search finds text as it is, and patterns`() async throws {
        backend.append("GET /a.b 200\nget /axb 500\n")
        for (query, wanted) in [
            ("q=a.b", ["GET /a.b 200"]), ("q=a.b&regex=1", ["GET /a.b 200", "get /axb 500"]),
            ("q=get", ["GET /a.b 200", "get /axb 500"]), ("q=get&case=1", ["get /axb 500"]),
            ("q=%5Eget.%2B5%5Cd%5Cd%24&regex=1", ["get /axb 500"]), ("q=nothing", []),
        ] {
            let found = try await ask("/api/v1/logs/search?app=web&\(query)")
            #expect(found.status == 200)
            #expect(texts(found.json["matches"]) == wanted, "\(query)")
            #expect(found.json["complete"] == .bool(true) && found.json["reason"] == .null)
        }
    }

    @Test func `only so many search and download at a time`() async throws {
        backend.append("x\n")
        let none = LogArea(
            backend, loop: loop, limits: LogAnswers.Limits(searchCount: 0, downloadCount: 0))
        for path in ["search?q=x&app=web", "download?app=web"] {
            #expect(try await ask("/api/v1/logs/\(path)", of: none).status == 503)
        }
        // What has ended takes no place.
        for _ in 0..<5 {
            #expect(try await ask("/api/v1/logs/search?q=x&app=web").status == 200)
            #expect(try await ask("/api/v1/logs/search?q=x&app=other").status == 404)
        }
    }

    @Test func `a search ends when the client has gone`() async throws {
        for _ in 0..<4 { backend.append(String(repeating: "0123456789abcde\n", count: 1 << 16)) }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await ask("/api/v1/logs/search?q=nothing&app=web")
        }
        task.cancel()
        let found = try await task.value
        #expect(found.json["reason"]?.text == "cancelled")
        #expect(found.json["complete"] == .bool(false))
        guard case .number(let count)? = found.json["searched_bytes"] else { return }
        #expect(Int(count) ?? .max <= 1 << 20)
    }

    @Test(arguments: [
        ("/api/v1/logs", 400), ("/api/v1/logs?app=other", 404),
        ("/api/v1/logs?app=web&instance=x", 400), ("/api/v1/logs?app=web&instance=0", 400),
        ("/api/v1/logs?app=web&stream=x", 400), ("/api/v1/logs?app=web&lines=0", 400),
        ("/api/v1/logs?app=web&before=x", 400), ("/api/v1/logs?app=web&before=9o.0.0.0", 400),
        ("/api/v1/logs?app=web&before=1o.zz.0.0", 410),
        ("/api/v1/logs?app=web&before=1o.0.0.0&after=1o.0.0.0", 400),
        ("/api/v1/logs/search?app=web", 400), ("/api/v1/logs/search?app=web&q=(&regex=1", 400),
        ("/api/v1/logs/search?app=web&q=a&from=x", 400),
        ("/api/v1/logs/search?app=web&q=a&from=1e400", 400),
        ("/api/v1/logs/search?app=web&q=a&regex=2", 400),
        ("/api/v1/logs/download?app=other", 404),
    ])
    func `what cannot be answered is refused`(_ target: String, _ status: Int) async throws {
        #expect(try await ask(target).status == status)
    }

    private func lines(_ news: TopicNews) throws -> (lines: [JSONValue], skipped: String) {
        let json = try JSONReader.value(Array(news.content.utf8))
        guard case .array(let lines)? = json["lines"], case .number(let skipped)? = json["skipped"]
        else { throw TestFailure("no lines: \(news.content)") }
        return (lines, skipped)
    }

    @Test func `a topic tells of lines as they are written`() async throws {
        backend.append("before\n")
        let topic = try #require(try area.topic(["log", "web", "1", "stdout"], for: visitor))
        let first = try await topic.next(after: nil)
        #expect(try lines(first).lines == [])
        async let waiting = topic.next(after: first.cursor)
        backend.append("one\ntwo\n")
        let second = try await waiting
        // The first of the two may be reported alone.
        var found = try lines(second).lines
        var cursor = second.cursor
        while found.count < 2 {
            let next = try await topic.next(after: cursor)
            found += try lines(next).lines
            cursor = next.cursor
        }
        #expect(found == [.string("one"), .string("two")])
        // What was dropped unsent is told again.
        #expect(try lines(try await topic.next(after: first.cursor)).lines.first == .string("one"))
    }

    @Test func `a topic of several logs says whose line it is`() async throws {
        backend.append("x\n", 2, "stderr")
        let topic = try #require(try area.topic(["log", "web", "all", "both"], for: visitor))
        let first = try await topic.next(after: nil)
        backend.append("y\n", 2, "stderr")
        let line = try #require(try lines(try await topic.next(after: first.cursor)).lines.first)
        #expect(line["instance"] == .number("2") && line["stream"]?.text == "stderr")
        #expect(line["text"]?.text == "y")
    }

    @Test func `a client that is far behind is told how much it has missed`() async throws {
        let topic = try #require(try area.topic(["log", "web", "1", "stdout"], for: visitor))
        backend.append("first\n")
        let first = try await topic.next(after: nil)
        for _ in 0..<30 { backend.append(String(repeating: "0123456789abcdef\n", count: 5_000)) }
        let news = try await topic.next(after: first.cursor)
        #expect(Int(try lines(news).skipped) ?? 0 > 1 << 20)
    }

    @Test func `a waiting topic ends when its task is cancelled`() async throws {
        let topic = try #require(try area.topic(["log", "web", "1", "stdout"], for: visitor))
        let cursor = try await topic.next(after: nil).cursor
        let task = Task { try await topic.next(after: cursor) }
        task.cancel()
        #expect(try await task.value.cursor == cursor)
    }

    @Test(arguments: [
        ["log"], ["log", "web"], ["log", "web", "1"], ["log", "web", "x", "stdout"],
    ])
    func `what is no topic is refused`(_ name: [String]) {
        #expect(throws: DashboardRefusal.self) { try area.topic(name, for: visitor) }
        #expect(throws: Never.self) { try area.topic(["status"], for: visitor) }
    }
}

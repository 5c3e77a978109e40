import Deployment
import ExternalTermFormat
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import Dashboard

/// A topic that counts: its news after `3` are the number then, at least 4.
private actor Counter: EventTopicSource {
    nonisolated let kind: String
    private var value = 1
    private(set) var questions: [String?] = []
    private var refusal: DashboardRefusal?
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(_ kind: String = "count") {
        self.kind = kind
    }

    func set(_ value: Int) {
        self.value = value
        wake()
    }

    func refuse(_ refusal: DashboardRefusal) {
        self.refusal = refusal
        wake()
    }

    private func wake() {
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews {
        questions.append(cursor)
        while cursor == "\(value)", refusal == nil, !Task.isCancelled {
            await withTaskCancellationHandler {
                await withCheckedContinuation { waiters.append($0) }
            } onCancel: {
                Task { await self.wake() }
            }
        }
        if let refusal { throw refusal }
        return TopicNews(cursor: "\(value)", .object([("value", .integer(value))]))
    }
}

private struct CounterArea: DashboardArea {
    let counters: [String: Counter]
    var routes: [Route] { [] }

    func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? {
        guard name.first == "count" else { return nil }
        guard let counter = counters[name.last ?? ""] else {
            throw DashboardRefusal(.notFound, "there is no such counter")
        }
        return counter
    }
}

/// A client that takes what it is sent, or does not.
private actor Client {
    private(set) var text = ""
    private(set) var isClosed = false
    private var isBlocked = false
    private(set) var isWaiting = false
    private var waiter: CheckedContinuation<Void, Never>?

    func write(_ bytes: [UInt8]) async -> Bool {
        guard !isClosed else { return false }
        text += String(decoding: bytes, as: UTF8.self)
        if isBlocked {
            isWaiting = true
            await withCheckedContinuation { waiter = $0 }
            isWaiting = false
        }
        return !isClosed
    }

    func block() { isBlocked = true }

    func unblock() {
        isBlocked = false
        waiter?.resume()
        waiter = nil
    }

    func close() {
        isClosed = true
        unblock()
    }

    func count(of part: String) -> Int { text.ranges(of: part).count }
}

@Suite(.timeLimit(.minutes(1))) struct EventStreamTests {
    private let loop: EventLoop
    private let hub: EventHub
    private let area: EventArea
    private let counters = ["a": Counter(), "b": Counter()]

    init() throws {
        loop = try .onOwnThread()
        var limits = EventHub.Limits()
        limits.count = 3
        limits.countOfSession = 2
        limits.topicCount = 3
        hub = EventHub(loop: loop, limits: limits)
        area = EventArea(hub: hub, areas: [CounterArea(counters: counters)])
    }

    private func visitor(_ session: Int) -> Visitor {
        Visitor(
            .session(SessionID(number: session)), .viewer,
            from: PeerSource(.loopback(port: 1)))
    }

    private func ask(
        _ method: String, _ target: String, _ content: String = "", of visitor: Visitor,
        fields: [HTTPField] = [], id: String = ""
    ) async throws(DashboardRefusal) -> HTTPServerResponse {
        let route = area.routes[method == "GET" ? 0 : 1]
        let http = HTTPServerRequest(
            head: HTTPRequestHead(method: method, target: target, fields: fields),
            content: Array(content.utf8), peer: .loopback(port: 1))
        return try await route.answer(
            RoutedRequest(http, of: visitor, parameters: ["stream": id]))
    }

    /// Opens a stream to the client.
    private func open(
        _ client: Client, _ topics: [(String, String?)], of visitor: Visitor, hasIDs: Bool = false
    ) async throws -> (id: String, task: Task<Void, Never>) {
        let subscriptions = topics.map { name, cursor in
            EventStream.Subscription(
                name: "count/\(name)", source: counters[name] ?? Counter(), cursor: cursor)
        }
        let task = Task { [hub] in
            await hub.serve(
                subscriptions,
                to: EventOutput(
                    write: { await client.write($0) }, close: { await client.close() }),
                of: visitor, hasIDs: hasIDs)
        }
        try await eventually("the stream's name") {
            await client.text.contains("event: stream")
        }
        let text = await client.text
        let id = try #require(text.split(separator: #"{"stream":""#).last?.prefix(32))
        return (String(id), task)
    }

    private func change(
        _ id: String, _ topics: String, of visitor: Visitor
    ) async throws(DashboardRefusal) -> Int {
        let target = "/api/v1/events/\(id)/topics"
        return try await ask("PUT", target, "{\"topics\": \(topics)}", of: visitor, id: id).status
    }

    private func waitFor(_ part: String, in client: Client) async throws {
        try await eventually("\(part) in the stream") { await client.text.contains(part) }
    }

    @Test func `one stream tells of several topics, and of each change once`() async throws {
        let client = Client()
        let (id, task) = try await open(client, [("a", nil), ("b", "1")], of: visitor(1))
        #expect(id.allSatisfy { $0.isHexDigit } && id.count == 32)
        try await waitFor(
            "event: count\ndata: {\"topic\":\"count/a\",\"cursor\":\"1\",\"value\":1}\n\n",
            in: client)
        await counters["b"]?.set(2)
        try await waitFor(#"{"topic":"count/b","cursor":"2","value":2}"#, in: client)
        #expect(await client.count(of: "count/a") == 1)
        #expect(await !client.text.contains("id: "))
        task.cancel()
        await task.value
        #expect(await hub.count == 0)
    }

    @Test func `topics are replaced, and one that goes on is not told twice`() async throws {
        let client = Client()
        let (id, task) = try await open(client, [("a", nil)], of: visitor(1), hasIDs: true)
        try await waitFor("id: 1\n", in: client)
        let status = try await change(
            id, #"{"count/a": "1", "count/b": null}"#, of: visitor(1))
        #expect(status == 204)
        try await waitFor("count/b", in: client)
        #expect(await counters["a"]?.questions == [nil, "1"])
        // Ids would mean another topic to each.
        await counters["a"]?.set(2)
        try await waitFor(#""value":2"#, in: client)
        #expect(await !client.text.contains("id: 2"))
        // From another place it is told anew.
        _ = try await change(id, #"{"count/a": "0"}"#, of: visitor(1))
        try await eventually { await client.count(of: "count/a") == 3 }
        // What was left out is no longer told.
        let before = await client.count(of: "count/b")
        await counters["b"]?.set(9)
        await counters["a"]?.set(3)
        try await waitFor(#""value":3"#, in: client)
        #expect(await client.count(of: "count/b") == before)
        task.cancel()
        await task.value
    }

    @Test func `a client that does not read skips what lies between, and nothing is queued`()
        async throws
    {
        let client = Client()
        let (_, task) = try await open(client, [("a", nil), ("b", nil)], of: visitor(1))
        try await waitFor("count/a", in: client)
        try await waitFor("count/b", in: client)
        await client.block()
        await counters["a"]?.set(2)
        try await eventually { await client.isWaiting }
        let asked = await counters["a"]?.questions.count
        for value in 3...50 {
            await counters["a"]?.set(value)
            await counters["b"]?.set(value)
        }
        #expect(await counters["a"]?.questions.count == asked)
        await client.unblock()
        try await waitFor(#"{"topic":"count/a","cursor":"50","value":50}"#, in: client)
        try await waitFor(#"{"topic":"count/b","cursor":"50","value":50}"#, in: client)
        // The client was sent its value 2, or a comment, when it stopped reading.
        #expect((2...3).contains(await client.count(of: "count/a")))
        #expect(await client.count(of: "count/b") == 2)
        task.cancel()
        await task.value
    }

    @Test func `the streams of one session, and all of them, follow so many topics`() async throws {
        var limits = EventHub.Limits()
        limits.topicCountOfSession = 3
        limits.topicCountInAll = 4
        let hub = EventHub(loop: loop, limits: limits)
        let tooMany = DashboardRefusal(.unavailable, "too many topics are followed: try again")
        let client = Client()
        let task = Task {
            await hub.serve(
                ["a", "b"].map { .init(name: $0, source: Counter(), cursor: nil) },
                to: EventOutput(write: { await client.write($0) }, close: {}), of: visitor(1),
                hasIDs: false)
        }
        try await eventually { await hub.count == 1 }
        await #expect(throws: tooMany) { try await hub.admit(visitor(1), topicCount: 2) }
        await #expect(throws: tooMany) { try await hub.admit(visitor(2), topicCount: 3) }
        try await hub.admit(visitor(1), topicCount: 1)
        try await hub.admit(visitor(2), topicCount: 2)
        // What a stream has does not count twice when it is replaced.
        try await eventually { await client.text.contains("event: stream") }
        let id = try #require(await client.text.split(separator: #"{"stream":""#).last?.prefix(32))
        func replace(_ count: Int) async throws {
            try await hub.replaceTopics(
                of: String(id),
                by: (0..<count).map { .init(name: "\($0)", source: Counter(), cursor: nil) },
                for: visitor(1))
        }
        try await replace(3)
        await #expect(throws: tooMany) { try await replace(4) }
        await #expect(throws: tooMany) { try await hub.admit(visitor(1), topicCount: 1) }
        task.cancel()
        await task.value
        try await hub.admit(visitor(1), topicCount: 3)
    }

    @Test func `a topic that ends says why, and the stream goes on`() async throws {
        let client = Client()
        let (_, task) = try await open(client, [("a", nil), ("b", nil)], of: visitor(1))
        await counters["a"]?.refuse(DashboardRefusal(.gone, "it was \"rotated\"\naway"))
        try await waitFor(
            "event: ended\ndata: {\"topic\":\"count/a\","
                + #""error":"it was \"rotated\"\naway","status":410}"#, in: client)
        await counters["b"]?.set(7)
        try await waitFor(#""value":7"#, in: client)
        task.cancel()
        await task.value
    }

    @Test func `a silent stream says a comment`() async throws {
        let client = Client()
        var limits = EventHub.Limits()
        limits.keepAlive = .milliseconds(20)
        let hub = EventHub(loop: loop, limits: limits)
        let output = EventOutput(
            write: { await client.write($0) }, close: { await client.close() })
        let task = Task { [visitor = visitor(1)] in
            await hub.serve([], to: output, of: visitor, hasIDs: false)
        }
        try await eventually { await client.count(of: ":\n\n") >= 3 }
        task.cancel()
        await task.value
    }

    @Test func `streams end with their session, also when nobody reads`() async throws {
        let (reading, stuck, other) = (Client(), Client(), Client())
        let first = try await open(reading, [("a", nil)], of: visitor(1))
        let second = try await open(stuck, [("a", nil)], of: visitor(1))
        let third = try await open(other, [("a", nil)], of: visitor(2))
        await stuck.block()
        await counters["a"]?.set(2)
        try await eventually { await stuck.isWaiting }
        await area.sessionEnded(SessionID(number: 1))
        await first.task.value
        await second.task.value
        #expect(await stuck.isClosed)
        #expect(await hub.count == 1)
        await counters["a"]?.set(3)
        try await waitFor(#""value":3"#, in: other)
        #expect(await !reading.text.contains(#""value":3"#))
        third.task.cancel()
        await third.task.value
    }

    @Test func `a stream belongs to who has opened it`() async throws {
        let client = Client()
        let (id, task) = try await open(client, [("a", nil)], of: visitor(1))
        for stranger in [
            visitor(2), Visitor(.token, .administrator, from: PeerSource(.loopback(port: 1))),
        ] {
            await #expect(throws: DashboardRefusal(.notFound, "there is no such event stream")) {
                _ = try await change(id, "{}", of: stranger)
            }
        }
        task.cancel()
        await task.value
        await #expect(throws: DashboardRefusal.self) {
            _ = try await change(id, "{}", of: visitor(1))
        }
    }

    @Test func `streams are counted, of a session and in all`() async throws {
        let clients = [Client(), Client(), Client()]
        var tasks: [Task<Void, Never>] = []
        for (client, session) in zip(clients, [1, 1, 2]) {
            #expect(
                try await ask("GET", "/api/v1/events?topics=count/a", of: visitor(session)).status
                    == 200)
            tasks.append(try await open(client, [], of: visitor(session)).task)
        }
        for session in [1, 3] {
            await #expect(throws: DashboardRefusal.self) {
                _ = try await ask("GET", "/api/v1/events?topics=count/a", of: visitor(session))
            }
        }
        tasks[0].cancel()
        await tasks[0].value
        #expect(
            try await ask("GET", "/api/v1/events?topics=count/a", of: visitor(1)).status == 200)
        for task in tasks {
            task.cancel()
            await task.value
        }
    }

    @Test(arguments: [
        ("/api/v1/events?topics=other", 404), ("/api/v1/events?topics=count/c", 404),
        ("/api/v1/events?topics=count/a,count/a", 400),
        ("/api/v1/events?topics=count/a,count/b,count/a/b,count/b/a", 400),
        ("/api/v1/events?topics=%zz", 400), ("/api/v1/events", 404),
    ])
    func `topics that there are not are refused`(_ target: String, _ status: Int) async throws {
        do throws(DashboardRefusal) {
            let response = try await ask("GET", target, of: visitor(1))
            Issue.record("\(target) is answered with \(response.status)")
        } catch {
            #expect(error.status == status, "\(error)")
        }
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"topics": []}"#, #"{"topics": {"count/a": 1}}"#,
        #"{"topics": {"count/a": null, "count/a": null}}"#,
        #"{"topics": {"count/a": ""# + String(repeating: "x", count: 513) + #""}}"#,
    ])
    func `other content is refused`(_ content: String) async throws {
        await #expect(throws: DashboardRefusal.self) {
            _ = try await ask("PUT", "/", content, of: visitor(1), id: "x")
        }
    }

    @Test func `a stream of one topic is resumed by the id of its last event`() async throws {
        let server = HTTPServer(loop: loop) { [area] request in
            let visitor = Visitor(.token, .administrator, from: PeerSource(request.peer))
            do throws(DashboardRefusal) {
                return try await area.routes[0].answer(RoutedRequest(request, of: visitor))
            } catch {
                return .refused(error)
            }
        }
        let address = try await server.start(on: .loopback(port: 0))
        await counters["a"]?.set(5)
        let curl = try ChildProcess(
            "/usr/bin/curl",
            [
                "--noproxy", "*", "-sSN", "-H", "Last-Event-ID: 5",
                "http://127.0.0.1:\(address.port)/?topics=count/a",
            ], output: .pipe)
        try await eventually { await counters["a"]?.questions.contains("5") == true }
        await counters["a"]?.set(6)
        let text = try await offload { try curl.line(containing: "id: 6") }
        #expect(text.contains("id: 6"))
        curl.kill()
        try await eventually("the stream has ended") {
            await counters["a"]?.set(7)
            return await hub.count == 0
        }
        await server.stop()
    }
}

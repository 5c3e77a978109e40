import Deployment
import Foundation
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import Dashboard

/// A program that does what the test says.
private final class Shell: OpenedTerminal, @unchecked Sendable {
    var isReadingPaused = false
    private let state = Guarded((written: [UInt8](), sizes: 0, isKilled: false))
    private let onEvent: @Sendable (TerminalSession.Event) -> Void
    private let loop: EventLoop

    init(loop: EventLoop, _ onEvent: @escaping @Sendable (TerminalSession.Event) -> Void) {
        self.loop = loop
        self.onEvent = onEvent
    }

    var written: String { String(decoding: state.withLock { $0.written }, as: UTF8.self) }
    var isKilled: Bool { state.withLock { $0.isKilled } }

    func write(_ bytes: [UInt8]) -> Bool {
        state.withLock { state in
            guard state.written.count + bytes.count < 1_000 else { return false }
            state.written += bytes
            return true
        }
    }

    func resize(_ size: TerminalSession.Size) { state.withLock { $0.sizes += 1 } }

    func kill() {
        state.withLock { $0.isKilled = true }
        emit(.ended(.signal(9)))
    }

    func emit(_ event: TerminalSession.Event) {
        loop.execute { [onEvent] in onEvent(event) }
    }
}

private final class Backend: TerminalBackend, Sendable {
    private let loop: EventLoop
    private let opened = Guarded<[Shell]>([])

    init(loop: EventLoop) {
        self.loop = loop
    }

    var shells: [Shell] { opened.withLock { $0 } }

    func open(
        _ instance: InstanceNumber, of application: String, size: TerminalSession.Size,
        onEvent: @escaping @Sendable (TerminalSession.Event) -> Void
    ) throws(DashboardRefusal) -> any OpenedTerminal {
        guard application == "web" else {
            throw DashboardRefusal(.notFound, "there is no such instance")
        }
        let shell = Shell(loop: loop, onEvent)
        opened.withLock { $0.append(shell) }
        return shell
    }
}

@Suite(.timeLimit(.minutes(1))) struct TerminalAreaTests {
    private let loop: EventLoop
    private let backend: Backend
    private let area: TerminalArea
    private let reports = Reports()

    private final class Reports: Sendable {
        let texts = Guarded<[String]>([])
    }

    init() throws {
        loop = try .onOwnThread()
        backend = Backend(loop: loop)
        area = TerminalArea(backend, loop: loop) { [reports] report in
            if case .info(let text) = report { reports.texts.withLock { $0.append(text) } }
        }
    }

    private func visitor(_ session: Int) -> Visitor {
        Visitor(
            .session(SessionID(number: session)), .administrator,
            from: PeerSource(.loopback(port: 1)))
    }

    private func ask(
        _ method: String, _ pattern: String, _ parameters: [String: String], _ content: String = "",
        session: Int = 1, fields: [HTTPField] = []
    ) async throws -> (status: Int, json: JSONValue) {
        let route = try #require(
            area.routes.first { $0.method == method && $0.pattern == "/api/v1/\(pattern)" })
        let head = HTTPRequestHead(
            method: method, target: "/", fields: fields, host: "localhost")
        let http = HTTPServerRequest(
            head: head, content: Array(content.utf8), peer: .loopback(port: 1))
        let response: HTTPServerResponse
        do throws(DashboardRefusal) {
            response = try await route.answer(
                RoutedRequest(http, of: visitor(session), parameters: parameters))
        } catch {
            return (error.status, .null)
        }
        guard case .bytes(let bytes) = response.content, !bytes.isEmpty else {
            return (response.status, .null)
        }
        return (response.status, try JSONReader.value(bytes))
    }

    private func open(
        app: String = "web", session: Int = 1, fields: [HTTPField] = [],
        size: String = #"{"columns":80,"rows":24}"#
    ) async throws -> (status: Int, json: JSONValue) {
        try await ask(
            "POST", "apps/:app/instances/:instance/terminals", ["app": app, "instance": "1"], size,
            session: session, fields: fields)
    }

    private func opened(session: Int = 1) async throws -> (id: String, shell: Shell) {
        let answer = try await open(session: session)
        let id = try #require(answer.json["terminal"]?.text)
        return (id, try #require(backend.shells.last))
    }

    private func topic(_ id: String, session: Int = 1) throws -> any EventTopicSource {
        try #require(try area.topic(["terminal", id], for: visitor(session)))
    }

    private func event(_ news: TopicNews) throws -> (data: String, ended: String?) {
        let json = try JSONReader.value(Array(news.content.utf8))
        let data = Data(base64Encoded: json["data"]?.text ?? "") ?? Data()
        return (String(decoding: data, as: UTF8.self), json["ended"]?.text)
    }

    @Test func `what is typed reaches the program, and what it writes the topic`() async throws {
        let (id, shell) = try await opened()
        #expect(id.utf8.count == 32)
        shell.emit(.output(Array("prompt> ".utf8)))
        let topic = try topic(id)
        let first = try await topic.next(after: nil)
        #expect(try event(first) == ("prompt> ", nil))
        let typed = try await ask("POST", "terminals/:terminal/input", ["terminal": id], "1+1\r")
        #expect(typed.status == 204 && shell.written == "1+1\r")
        async let waiting = topic.next(after: first.cursor)
        shell.emit(.output(Array("2".utf8)))
        let second = try await waiting
        #expect(try event(second) == ("2", nil))
        // A page that is loaded again.
        #expect(try event(try await topic.next(after: nil)) == ("prompt> 2", nil))
        shell.emit(.ended(.code(0)))
        let end = try await topic.next(after: second.cursor)
        #expect(try event(end) == ("", "exit status 0"))
        // As if it was dropped unsent.
        #expect(try event(try await topic.next(after: second.cursor)).ended != nil)
        await #expect(throws: DashboardRefusal.self) { try await topic.next(after: end.cursor) }
        await #expect(throws: Terminals.unknown) { try await topic.next(after: nil) }
        let texts = reports.texts.withLock { $0 }
        #expect(texts.count == 2)
        #expect(texts[0].contains("on web-1") && texts[0].contains("session 1"))
        #expect(texts[1].contains("ended: exit status 0"))
    }

    @Test func `nobody but its session has a terminal`() async throws {
        let (id, shell) = try await opened()
        for (method, pattern, content) in [
            ("POST", "terminals/:terminal/input", "x"),
            ("POST", "terminals/:terminal/size", #"{"columns":80,"rows":24}"#),
            ("DELETE", "terminals/:terminal", ""),
        ] {
            let other = try await ask(method, pattern, ["terminal": id], content, session: 2)
            #expect(other.status == 404)
        }
        #expect(shell.written == "" && !shell.isKilled)
        await #expect(throws: Terminals.unknown) {
            try await topic(id, session: 2).next(after: nil)
        }
    }

    @Test func `a session's end is its terminals' end`() async throws {
        let (id, shell) = try await opened()
        let other = try await opened(session: 2)
        let topic = try topic(id)
        async let waiting: TopicNews? = try? topic.next(after: "0")
        await area.sessionEnded(SessionID(number: 1))
        try await eventually { shell.isKilled }
        #expect(!other.shell.isKilled)
        _ = await waiting
        try await eventually {
            try await self.ask("POST", "terminals/:terminal/input", ["terminal": id], "x").status
                == 404
        }
    }

    @Test func `a session has four terminals at most`() async throws {
        for _ in 0..<4 { _ = try await opened() }
        #expect(try await open().status == 503)
        // One that has ended by itself takes no place, if nobody has read its end.
        let first = try #require(backend.shells.first)
        first.emit(.ended(.code(0)))
        try await eventually {
            self.reports.texts.withLock { $0.contains { $0.contains("ended") } }
        }
        #expect(try await open().status == 201)
        #expect(try await open().status == 503)
        let id = try await opened(session: 2).id
        #expect(backend.shells.count == 6)
        let closed = try await ask("DELETE", "terminals/:terminal", ["terminal": id], session: 2)
        #expect(closed.status == 204)
        #expect(try #require(backend.shells.last).isKilled)
    }

    @Test func `one that cannot be started takes no place`() async throws {
        for _ in 0..<10 { #expect(try await open(app: "other").status == 404) }
        #expect(try await open().status == 201)
    }

    @Test func `sizes and input have limits`() async throws {
        for size in ["", "{}", #"{"columns":0,"rows":24}"#, #"{"columns":80,"rows":1e9}"#] {
            #expect(try await open(size: size).status == 400)
        }
        let (id, _) = try await opened()
        let long = String(repeating: "x", count: 2_000)
        #expect(
            try await ask("POST", "terminals/:terminal/input", ["terminal": id], long).status
                == 503)
    }

    @Test func `a program that nobody reads is left to wait`() async throws {
        let (id, shell) = try await opened()
        let part = [UInt8](repeating: 0x78, count: 64 << 10)
        for _ in 0..<4 { shell.emit(.output(part)) }
        let topic = try topic(id)
        var cursor: String?
        var count = 0
        try await eventually { shell.isReadingPaused }
        while count < 4 * part.count {
            let news = try await topic.next(after: cursor)
            count += try event(news).data.utf8.count
            cursor = news.cursor
        }
        shell.emit(.output([0x79]))
        #expect(try event(try await topic.next(after: cursor)).data == "y")
        #expect(!shell.isReadingPaused)
    }

    @Test(arguments: ["x", "-1", "1.5", "99999999999999999999", "e"])
    func `what is no cursor is refused`(_ cursor: String) async throws {
        let (id, _) = try await opened()
        await #expect(throws: DashboardRefusal.self) {
            try await topic(id).next(after: cursor)
        }
    }
}

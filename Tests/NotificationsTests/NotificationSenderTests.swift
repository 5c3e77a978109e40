import Foundation
import HTTP
import TestKit
import Testing
import Transport

@testable import Notifications

/// Real connections to a receiver that does what its script says, one entry for each request.
@Suite(.timeLimit(.minutes(2))) struct NotificationSenderTests {
    private func event(_ number: Int, _ kind: NotificationEvent.Kind = .test) -> NotificationEvent {
        NotificationEvent(
            kind, host: "h", subject: "counter/deployment", mark: "\(number)", at: 1,
            application: "counter", version: "\(number)", reason: "<!channel> & \u{1B}[2J")
    }

    @Test func `through every fault each event arrives once, in order, and no address is logged`()
        async throws
    {
        let loop = try EventLoop.onOwnThread()
        defer { loop.stop() }
        let receiver = Receiver(loop: loop)
        let port = try await receiver.listen([
            .answer("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), .close, .silence, .endless,
            .answer("HTTP/1.1 429 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"),
            .answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            .answer("HTTP/1.1 302 No\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"),
            .answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ])
        let lines = Guarded<[String]>([])
        let sink = NotificationSink(
            .webhook(key: "k"), url: try HTTPURL("http://127.0.0.1:\(port)/hidden"))
        let sender = NotificationSender(
            sink, client: HTTPClient(loop: loop), loop: loop, deadline: .milliseconds(500),
            pauseScale: 0.01
        ) { _, text in lines.withLock { $0.append(text) } }
        for number in 1...3 { await sender.post(event(number)) }
        try await eventually("all are told") { await sender.counts.waiting == 0 }
        let ids = await receiver.requests.map { text in
            text.split(separator: "\r\n").first { $0.hasPrefix("X-Deployex-Event-Id: ") }
        }
        let expected = ([1, 1, 1, 1, 1, 1, 2, 3] as [Int]).map {
            "X-Deployex-Event-Id: \(event($0).id)"[...]
        }
        #expect(ids == expected)
        // The redirection is not followed: that event is lost.
        #expect(await sender.counts.dropped == 1)
        let log = lines.withLock { $0 }
        #expect(log.contains { $0.contains("status 302") })
        #expect(log.contains { $0.contains("takes events again") })
        #expect(!log.contains { $0.contains("hidden") || $0.contains("\(port)") }, "\(log)")
        await sender.stop()
    }

    @Test func `OpenSSL's own program makes the same signature`() throws {
        let sink = NotificationSink(.webhook(key: "key 1"), url: try HTTPURL("http://h/"))
        let request = try #require(sink.request(event(1), at: 1_700_000_000))
        guard case .bytes(let body) = request.content else {
            Issue.record("no content")
            return
        }
        let folder = TemporaryFolder("signature")
        try Data(Array("1700000000.".utf8) + body).write(
            to: URL(fileURLWithPath: folder("signed")))
        let process = try ChildProcess(
            "openssl", ["dgst", "-sha256", "-hmac", "key 1", "-r", folder("signed")],
            output: .pipe)
        let line = try process.line(containing: " ")
        let code = line.split(separator: " ")[0]
        #expect(request.fields.values("x-deployex-signature") == ["sha256=\(code)"])
        #expect(request.fields.values("x-deployex-timestamp") == ["1700000000"])
    }

    @Test func `each receiver gets its own form, and hostile text is only text`() throws {
        let url = try HTTPURL("https://hooks.example.org/x")
        func content(_ form: NotificationSink.Form, _ event: NotificationEvent) throws -> [String:
            Any]?
        {
            guard
                case .bytes(let bytes)? = NotificationSink(form, url: url).request(event, at: 1)?
                    .content
            else { return nil }
            return try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        }
        let slack = try #require(try content(.slack, event(1, .deploymentFailed)))
        let text = try #require(slack["text"] as? String)
        #expect(text.contains("&lt;!channel&gt; &amp; ") && !text.contains("\u{1B}"))
        let webhook = try #require(try content(.webhook(key: nil), event(1, .deploymentFailed)))
        #expect(webhook["event"] as? String == "deployment_failed")
        #expect(webhook["version"] as? String == "1" && webhook["instance"] is NSNull)
        let form = NotificationSink.Form.pagerDuty(routingKey: "R")
        #expect(try content(form, event(1, .deploymentBegun)) == nil)
        let failed = try #require(try content(form, event(1, .deploymentFailed)))
        let done = try #require(try content(form, event(2, .deploymentDone)))
        #expect(failed["event_action"] as? String == "trigger")
        #expect(done["event_action"] as? String == "resolve")
        #expect(failed["dedup_key"] as? String == "deployex/h/counter/deployment")
        #expect(failed["dedup_key"] as? String == done["dedup_key"] as? String)
        #expect(failed["routing_key"] as? String == "R")
        #expect((failed["payload"] as? [String: Any])?["severity"] as? String == "error")
    }
}

/// Does to each request what its script says.
private actor Receiver {
    enum Entry: Sendable {
        case answer(String)
        case close, silence, endless
    }

    private nonisolated let loop: EventLoop
    private var script: [Entry] = []
    private var streams: [TCPStream] = []
    private(set) var requests: [String] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) {
        self.loop = loop
    }

    func listen(_ script: [Entry]) throws -> UInt16 {
        self.script = script
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in self.assumeIsolated { $0.accept(stream) } }
        return listener.address.port
    }

    private func accept(_ stream: TCPStream) {
        streams.append(stream)
        let isAsked = Guarded(false)
        stream.start(
            receive: { bytes in
                guard !isAsked.withLock({ $0 }) else { return }
                isAsked.withLock { $0 = true }
                let text = String(decoding: [UInt8](copying: bytes), as: UTF8.self)
                self.assumeIsolated { $0.answer(text, stream) }
            }, end: { _ in })
    }

    private func answer(_ request: String, _ stream: TCPStream) {
        requests.append(request)
        guard !script.isEmpty else { return stream.close() }
        switch script.removeFirst() {
        case .answer(let text):
            stream.send(Array(text.utf8))
            stream.finish()
        case .close: stream.close()
        case .silence: break
        case .endless:
            stream.send(
                Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + Array(repeating: 0x78, count: 1 << 17))
        }
    }
}

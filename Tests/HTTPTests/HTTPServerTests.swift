import Foundation
import TestKit
import Testing
import Transport

@testable import HTTP

/// The server over real sockets: with curl, and with clients that do what curl never would.
@Suite(.timeLimit(.minutes(5))) struct HTTPServerTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func start(
        tls: TLSContext? = nil, limits: HTTPServer.Limits = .init(),
        handler: @escaping HTTPServer.Handler = Self.echo
    ) async throws -> (server: HTTPServer, address: SocketAddress) {
        let server = HTTPServer(loop: loop, tls: tls, limits: limits, handler: handler)
        return (server, try await server.start(on: .loopback(port: 0)))
    }

    /// Answers with what was asked.
    private static let echo: HTTPServer.Handler = { request in
        let content = String(decoding: request.content, as: UTF8.self)
        return .text(200, "\(request.method) \(request.head.target) \(content)")
    }

    /// All that a server sends to somebody who sends `text` and then waits for the end.
    private func talk(_ text: String, to address: SocketAddress) async throws -> String {
        try await RawClient.connect(to: address, sending: text, on: loop).untilEnd()
    }

    @Test(arguments: MalformedRequest.all)
    func `a malformed request gets its answer, and the connection ends`(
        _ request: MalformedRequest
    ) async throws {
        var limits = HTTPServer.Limits()
        limits.connection.lingerTime = .milliseconds(200)
        // Only what is never completed waits for these; a request must not come later than that.
        let isIncomplete = request.status == 408
        limits.connection.headTime = isIncomplete ? .seconds(5) : .seconds(60)
        limits.connection.contentTime = limits.connection.headTime
        let (server, address) = try await start(limits: limits)
        let answer = try await talk(request.text, to: address)
        #expect(answer.hasPrefix("HTTP/1.1 \(request.status) "), "\(answer.prefix(200))")
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.ranges(of: "\r\nDate: ").count == 1)
        await server.stop()
    }

    @Test func `curl gets what it asks for, over one connection`() async throws {
        let (server, address) = try await start()
        let base = "http://127.0.0.1:\(address.port)"
        let found = try await curl(["-v", base + "/a?b=c", base + "/d", "--data", "x=y&z"])
        #expect(found.contains("POST /a?b=c x=y&z\n"))
        #expect(found.contains("POST /d x=y&z\n"))
        #expect(found.contains("Re-using existing") || found.contains("Reusing existing"))
        // The length of what GET would send, and nothing more.
        let head = try await curl(["-sS", "-I", base])
        #expect(head.contains("Content-Length: 8\r\n"))
        #expect(!head.contains("HEAD /"))
        await server.stop()
    }

    @Test func `curl sends content in chunks, and content that it asks about first`() async throws {
        let (server, address) = try await start()
        let url = "http://127.0.0.1:\(address.port)/"
        let long = String(repeating: "a", count: 60_000)
        let chunked = try await curl(
            ["-sS", "-H", "Transfer-Encoding: chunked", "--data", "hello", url])
        #expect(chunked == "POST / hello\n")
        let asked = try await curl(
            [
                "-sS", "-v", "-H", "Expect: 100-continue", "--data", long, "-o", "/dev/null",
                "-w", "%{size_download} bytes", url,
            ])
        #expect(asked.contains("HTTP/1.1 100 Continue"))
        #expect(asked.contains("\("POST / \n".utf8.count + long.utf8.count) bytes"))
        await server.stop()
    }

    @Test func `requests that come together are answered in order`() async throws {
        let (server, address) = try await start { request in
            // The first takes longest.
            if request.head.target == "/1" { try? await Task.sleep(for: .milliseconds(50)) }
            return .text(200, request.head.target)
        }
        var requests = ""
        for number in 1...51 { requests += "GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n" }
        // The empty line, which is one character.
        requests.removeLast()
        let text = try await talk(requests + "Connection: close\r\n\r\n", to: address)
        let lines = text.split(separator: "\r\n\r\n").dropFirst().map { $0.prefix { $0 != "\n" } }
        #expect(lines.map(String.init) == (1...51).map { "/\($0)" })
        await server.stop()
    }

    @Test func `a stream comes in chunks and ends, and HTTP 1_0 gets it plain`() async throws {
        let (server, address) = try await start { _ in
            HTTPServerResponse(
                200,
                content: .stream { writer in
                    for number in 1...3 { await writer.write(Array("line \(number)\n".utf8)) }
                })
        }
        let url = "http://127.0.0.1:\(address.port)/"
        #expect(try await curl(["-sS", url]) == "line 1\nline 2\nline 3\n")
        let raw = try await talk(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", to: address)
        #expect(raw.contains("Transfer-Encoding: chunked\r\n"))
        #expect(
            raw.hasSuffix("\r\n\r\n7\r\nline 1\n\r\n7\r\nline 2\n\r\n7\r\nline 3\n\r\n0\r\n\r\n"))
        let old = try await talk("GET / HTTP/1.0\r\n\r\n", to: address)
        #expect(!old.contains("Transfer-Encoding"))
        #expect(old.hasSuffix("\r\n\r\nline 1\nline 2\nline 3\n"))
        await server.stop()
    }

    @Test func `a stream waits for a slow client, and ends with a client that leaves`()
        async throws
    {
        let written = Guarded(0)
        let hasEnded = Guarded(false)
        var limits = HTTPServer.Limits()
        limits.queuedByteCount = 1 << 20
        let (server, address) = try await start(limits: limits) { _ in
            HTTPServerResponse(
                200,
                content: .stream { writer in
                    let block = [UInt8](repeating: 0x61, count: 64 << 10)
                    while await writer.write(block) { written.withLock { $0 += block.count } }
                    hasEnded.withLock { $0 = true }
                })
        }
        let client = try await RawClient.connect(to: address, on: loop)
        client.pause()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        // What the kernel holds for both sides, and what the server queues, is soon full.
        var last = (byteCount: 0, looks: 0)
        try await eventually("the writer waits") {
            let now = written.withLock { $0 }
            last = (now, now == last.byteCount && now > 0 ? last.looks + 1 : 0)
            return last.looks == 50
        }
        // One that does not wait would have been ended by the limit of the queue.
        #expect(!hasEnded.withLock { $0 })
        client.close()
        try await eventually("the stream's function returns") { hasEnded.withLock { $0 } }
        try await eventually("nobody is connected") { await server.connectionCount == 0 }
        await server.stop()
    }

    @Test func `a client that leaves cancels its answer`() async throws {
        let wasCancelled = Guarded(false)
        let (server, address) = try await start { _ in
            try? await Task.sleep(for: .seconds(60))
            wasCancelled.withLock { $0 = Task.isCancelled }
            return .text(200, "late")
        }
        let client = try await RawClient.connect(to: address, on: loop)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("the client is known") { await server.connectionCount == 1 }
        client.close()
        try await eventually("the answer is cancelled") { wasCancelled.withLock { $0 } }
        await server.stop()
    }

    @Test func `slow clients are told so, silent ones are closed`() async throws {
        var limits = HTTPServer.Limits()
        // The client's task may come late, but not by this much.
        limits.connection.headTime = .seconds(3)
        limits.connection.contentTime = .seconds(3)
        limits.connection.idleTime = .milliseconds(200)
        limits.connection.lingerTime = .milliseconds(100)
        let (server, address) = try await start(limits: limits)
        #expect(try await talk("", to: address).isEmpty)
        #expect(try await talk("GET / HT", to: address).hasPrefix("HTTP/1.1 408 "))
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"
        #expect(try await talk(post, to: address).hasPrefix("HTTP/1.1 408 "))
        // An answered client that asks for nothing more.
        let idle = try await talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n", to: address)
        #expect(idle.hasPrefix("HTTP/1.1 200 ") && !idle.contains(" 408 "))
        await server.stop()
    }

    @Test func `beyond the limit newcomers are turned away, and later there is room again`()
        async throws
    {
        var limits = HTTPServer.Limits()
        limits.connectionCount = 2
        let (server, address) = try await start(limits: limits)
        let first = try await RawClient.connect(to: address, on: loop)
        let second = try await RawClient.connect(to: address, on: loop)
        try await eventually("both are known") { await server.connectionCount == 2 }
        #expect(try await talk("", to: address).hasPrefix("HTTP/1.1 503 "))
        first.close()
        try await eventually("one has left") { await server.connectionCount == 1 }
        let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        #expect(try await talk(get, to: address).hasPrefix("HTTP/1.1 200 "))
        second.close()
        await server.stop()
    }

    @Test func `over TLS it is the same, and a renewed certificate is used at once`() async throws {
        let folder = TemporaryFolder()
        let (certificate, key) = (folder.path + "/cert.pem", folder.path + "/key.pem")
        try makeCertificate(certificate, key)
        var configuration = TLSConfiguration()
        configuration.certificateFile = certificate
        configuration.keyFile = key
        configuration.verifiesPeer = false
        let tls = try TLSContext(configuration, role: .server)
        let (server, address) = try await start(tls: tls)
        let url = "https://localhost:\(address.port)/a"
        let ask = ["-sS", "--resolve", "localhost:\(address.port):127.0.0.1", "--cacert"]
        #expect(try await curl(ask + [certificate, url]) == "GET /a \n")
        let old = folder.path + "/old.pem"
        try FileManager.default.moveItem(atPath: certificate, toPath: old)
        try makeCertificate(certificate, key)
        #expect(try await curl(ask + [certificate, url]) == "GET /a \n")
        await #expect(throws: TestFailure.self) { try await curl(ask + [old, url]) }
        await server.stop()
    }

    private func makeCertificate(_ certificate: String, _ key: String) throws {
        try ChildProcess.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost",
            ])
    }

    @Test func `text of others cannot add a field`() async throws {
        let (server, address) = try await start { _ in
            HTTPServerResponse(204, fields: [HTTPField("X", "a\r\nSet-Cookie: b\0c")])
        }
        let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        let answer = try await talk(get, to: address)
        #expect(answer.contains("\r\nX: a  Set-Cookie: b c\r\n"))
        #expect(!answer.contains("Content-Length"))
        await server.stop()
    }

    @Test func `a port that is taken is an error`() async throws {
        let (server, address) = try await start()
        let other = HTTPServer(loop: loop, handler: Self.echo)
        await #expect(throws: SystemError.self) { try await other.start(on: address) }
        await server.stop()
    }

    private func curl(_ arguments: [String]) async throws -> String {
        try await offload {
            try ChildProcess.run(
                "/usr/bin/curl", ["--noproxy", "*", "--max-time", "30"] + arguments)
        }
    }
}

/// A client that sends what it is told.
///
/// The invariant behind `@unchecked Sendable`: the stream is used on the loop's thread only.
private final class RawClient: @unchecked Sendable {
    private let stream: TCPStream
    private let loop: EventLoop
    private let received = Guarded([UInt8]())
    private let hasEnded = Guarded(false)

    private init(_ stream: TCPStream, _ loop: EventLoop) {
        self.stream = stream
        self.loop = loop
    }

    /// Connects, and sends at once: the server's clock runs from when it has accepted the connection.
    static func connect(
        to address: SocketAddress, sending text: String = "", on loop: EventLoop
    ) async throws -> RawClient {
        try await Task(executorPreference: loop) {
            let stream = try await TCPStream.connect(to: address, timeout: .seconds(60), on: loop)
            let client = RawClient(stream, loop)
            loop.execute {
                client.stream.start(
                    receive: { bytes in
                        let copy = [UInt8](copying: bytes)
                        client.received.withLock { $0 += copy }
                    },
                    end: { _ in client.hasEnded.withLock { $0 = true } })
                client.stream.send(Array(text.utf8))
            }
            return client
        }.value
    }

    func send(_ text: String) { loop.execute { self.stream.send(Array(text.utf8)) } }
    func pause() { loop.execute { self.stream.isReadingPaused = true } }
    func close() { loop.execute { self.stream.close() } }

    /// All that has come when the server closes.
    func untilEnd() async -> String {
        try? await eventually("the server closes") { self.hasEnded.withLock { $0 } }
        close()
        return String(decoding: received.withLock { $0 }, as: UTF8.self)
    }
}

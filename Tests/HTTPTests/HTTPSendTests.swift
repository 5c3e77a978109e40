import Foundation
import TestKit
import Testing
import Transport

@testable import HTTP

/// ``HTTPClient`` with contents, over TLS, through a proxy, and against hostile servers.
@Suite(.timeLimit(.minutes(1))) struct HTTPSendTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func serve(_ parts: [String], closing: Bool = true) async throws -> HTTPURL {
        let address = try await RawServer(loop: loop).listen(parts, closing: closing)
        return try HTTPURL("http://\(address)/x?secret=1")
    }

    private func send(
        _ request: HTTPRequest, limit: Int = 1_000, within deadline: Duration = .seconds(50)
    ) async throws -> HTTPAnswer {
        try await HTTPClient(loop: loop).send(request, within: deadline, contentLimit: limit)
    }

    @Test func `an answer comes with its content, whatever its status`() async throws {
        var url = try await serve(["HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhe", "llo"])
        let answer = try await send(HTTPRequest("GET", url))
        #expect(answer.status == 404 && answer.content == Array("hello".utf8))
        url = try await serve([
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        ])
        #expect(try await send(HTTPRequest("GET", url)).content == Array("ab".utf8))
        url = try await serve(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], closing: false)
        #expect(try await send(HTTPRequest("HEAD", url)).content == [])
    }

    @Test func `content that is cut, endless or too long is an error without the query`()
        async throws
    {
        var url = try await serve(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"])
        await #expect(
            throws: HTTPError.badResponse(attempt: "GET \(url)", .truncated("its content"))
        ) { try await send(HTTPRequest("GET", url)) }
        for head in ["", "Content-Length: 2000\r\n", "Transfer-Encoding: chunked\r\n"] {
            url = try await serve(
                [
                    "HTTP/1.1 200 OK\r\n\(head)\r\n"
                        + (head.hasPrefix("T") ? "800\r\n" : "")
                        + String(repeating: "x", count: 2_000)
                ], closing: false)
            await #expect(
                throws: HTTPError.badResponse(attempt: "GET \(url)", .contentTooLong(limit: 1_000))
            ) { try await send(HTTPRequest("GET", url)) }
        }
        #expect(!"\(url)".contains("secret"))
    }

    @Test func `a file's part is sent as it is`() async throws {
        let folder = TemporaryFolder("http-file")
        let content = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        try content.write(to: URL(fileURLWithPath: folder("f")))
        let received = Collected()
        let count = 2_000_000
        let server = try await GatheringServer(loop: loop, received).listen(until: count)
        let request = HTTPRequest(
            "PUT", try HTTPURL("http://\(server)/k"),
            content: .file(path: folder("f"), offset: 100, count: count))
        #expect(try await send(request).status == 200)
        #expect(
            received.bytes.withLock { $0.suffix(count) }
                == [UInt8](content[100..<(100 + count)])[...])
    }

    @Test func `a download is written whole, and what came before a cut as well`() async throws {
        let written = Collected()
        let download = HTTPDownload(byteLimit: 100) { bytes in
            written.bytes.withLock { $0 += bytes }
            return .success(())
        }
        let client = HTTPClient(loop: loop)
        let url1 = try await serve(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "llo"])
        let answer = try await client.download(
            HTTPRequest("GET", url1), to: download, within: .seconds(50))
        #expect(answer.status == 200 && answer.content == [])
        #expect(written.bytes.withLock { $0 } == Array("hello".utf8))
        let url2 = try await serve(["HTTP/1.1 206 OK\r\nContent-Length: 9\r\n\r\n you"])
        await #expect(throws: HTTPError.self) {
            try await client.download(HTTPRequest("GET", url2), to: download, within: .seconds(50))
        }
        #expect(written.bytes.withLock { $0 } == Array("hello you".utf8))
        // What is not wanted is not written.
        let url3 = try await serve(["HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nxml"])
        let refused = try await client.download(
            HTTPRequest("GET", url3), to: download, within: .seconds(50))
        #expect(refused.status == 403 && refused.content == Array("xml".utf8))
        #expect(written.bytes.withLock { $0.count } == 9)
    }

    @Test func `a full disk and a silent server end a download by name`() async throws {
        let url4 = try await serve(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"])
        let full = SystemError("writing", code: 28)
        let client = HTTPClient(loop: loop)
        await #expect(throws: HTTPError.notWritten(attempt: "GET \(url4)", full)) {
            try await client.download(
                HTTPRequest("GET", url4), to: HTTPDownload(byteLimit: 9) { _ in .failure(full) },
                within: .seconds(50))
        }
        let url5 = try await serve(
            ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"], closing: false)
        await #expect(
            throws: HTTPError.stalled(attempt: "GET \(url5)", after: .milliseconds(300))
        ) {
            try await client.download(
                HTTPRequest("GET", url5),
                to: HTTPDownload(byteLimit: 9, idle: .milliseconds(300)) { _ in .success(()) },
                within: .seconds(50))
        }
    }

    // MARK: TLS and proxies

    @Test func `a server is believed by its authority and its name only`() async throws {
        let server = try await SecureServer()
        let request = HTTPRequest("GET", try HTTPURL("https://localhost:\(server.port)/"))
        let client = HTTPClient(loop: loop, trust: HTTPTrust(bundle: server.authority))
        let answer = try await client.send(request, within: .seconds(50), contentLimit: 100_000)
        #expect(answer.status == 200)
        // The certificate is for localhost.
        let address = HTTPRequest("GET", try HTTPURL("https://127.0.0.1:\(server.port)/"))
        for (client, request) in [(HTTPClient(loop: loop), request), (client, address)] {
            await #expect {
                try await client.send(request, within: .seconds(50), contentLimit: 100_000)
            } throws: { error in
                guard case HTTPError.unreachable(_, let reason) = error else { return false }
                return reason.contains("certificate")
            }
        }
    }

    @Test func `TLS goes through a proxy's tunnel, with a login`() async throws {
        let server = try await SecureServer()
        let process = try ChildProcess(
            "python3", ["-u", "-c", Self.tunnel], output: .pipe, errors: .null)
        let line = try await offload { try process.line(containing: "port ") }
        let port = try #require(line.split(separator: " ").last)
        let client = HTTPClient(
            loop: loop, trust: HTTPTrust(bundle: server.authority),
            proxies: try HTTPProxies(environment: ["https_proxy": "http://a:b@127.0.0.1:\(port)"]))
        let request = HTTPRequest("GET", try HTTPURL("https://localhost:\(server.port)/"))
        let answer = try await client.send(request, within: .seconds(50), contentLimit: 100_000)
        #expect(answer.status == 200)
        let said = try await offload { try process.line(containing: "asked ") }
        #expect(said.contains("CONNECT localhost:\(server.port) HTTP/1.1"))
        #expect(said.contains("Basic YTpi"))
    }

    /// A proxy for one tunnel.
    private static let tunnel = """
        import socket, threading
        l = socket.create_server(("127.0.0.1", 0))
        print("port", l.getsockname()[1], flush=True)
        c, _ = l.accept()
        head = b""
        while b"\\r\\n\\r\\n" not in head: head += c.recv(4096)
        print("asked", repr(head), flush=True)
        port = int(head.split()[1].split(b":")[1])
        s = socket.create_connection(("127.0.0.1", port))
        c.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
        def copy(a, b):
            while d := a.recv(65536): b.sendall(d)
            b.shutdown(socket.SHUT_WR)
        threading.Thread(target=copy, args=(c, s)).start()
        copy(s, c)
        """

    @Test func `a proxy is asked for a tunnel, and a refusal is named`() async throws {
        let proxy = try await RawServer(loop: loop).listen(
            ["HTTP/1.1 407 Who\r\n\r\n"], closing: false)
        let proxies = try HTTPProxies(environment: ["https_proxy": "http://\(proxy)"])
        let client = HTTPClient(loop: loop, proxies: proxies)
        let request = HTTPRequest("GET", try HTTPURL("https://example.invalid/"))
        await #expect {
            try await client.send(request, within: .seconds(50), contentLimit: 9)
        } throws: { "\($0)".contains("wants a user and a password") }
    }
}

/// Bytes that several threads gather.
private final class Collected: Sendable {
    let bytes = Guarded<[UInt8]>([])
}

/// Takes a request until `count` bytes and its head have come, and answers 200.
private actor GatheringServer {
    private nonisolated let loop: EventLoop
    private let received: Collected
    private var streams: [TCPStream] = []
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, _ received: Collected) {
        self.loop = loop
        self.received = received
    }

    func listen(until count: Int) throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in
            self.assumeIsolated { $0.accept(stream, count) }
        }
        return listener.address
    }

    private func accept(_ stream: TCPStream, _ count: Int) {
        streams.append(stream)
        stream.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { me in
                    let isWhole = me.received.bytes.withLock { all in
                        all += copy
                        return String(decoding: all.prefix(500), as: UTF8.self)
                            .range(of: "\r\n\r\n").map { _ in
                                all.count >= count + (Self.headLength(all) ?? 0)
                            } ?? false
                    }
                    if isWhole {
                        stream.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
                    }
                }
            }, end: { _ in })
    }

    private static func headLength(_ bytes: [UInt8]) -> Int? {
        let end = Array("\r\n\r\n".utf8)
        return (0..<min(bytes.count, 1_000) - 3).first { Array(bytes[$0..<($0 + 4)]) == end }
            .map { $0 + 4 }
    }
}

/// Python's server over TLS, with a certificate for localhost only.
private final class SecureServer {
    private let process: ChildProcess
    private let folder = TemporaryFolder("https")
    let port: Int
    var authority: String { folder("cert.pem") }

    init() async throws {
        try ChildProcess.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                folder("key.pem"), "-out", folder("cert.pem"),
            ])
        let script = """
            import http.server, ssl
            s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            c.load_cert_chain("\(folder("cert.pem"))", "\(folder("key.pem"))")
            s.socket = c.wrap_socket(s.socket, server_side=True)
            print("port", s.server_port, flush=True)
            s.serve_forever()
            """
        let process = try ChildProcess(
            "python3", ["-u", "-c", script], output: .pipe, errors: .null)
        self.process = process
        let line = try await offload { try process.line(containing: "port ") }
        guard let port = line.split(separator: " ").last.flatMap({ Int($0) }) else {
            throw TestFailure("python3 says: \(line)")
        }
        self.port = port
    }
}

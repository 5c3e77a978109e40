import Foundation
import Glibc
import TestKit
import Testing
import Transport

@testable import HTTP

@Suite(.timeLimit(.minutes(5))) struct HTTPClientTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    private func get(
        _ address: SocketAddress, path: String = "/", within deadline: Duration = .seconds(60),
        limits: HTTPLimits = HTTPLimits()
    ) async throws -> HTTPResponse {
        try await HTTPClient(loop: loop, limits: limits)
            .get(address, host: "localhost", path: path, within: deadline)
    }

    /// A server that sends `parts` to whoever connects, each 20 ms after the one before, and then
    /// closes or says nothing more.
    private func serve(_ parts: [String], closing: Bool = true) async throws -> SocketAddress {
        try await RawServer(loop: loop).listen(parts, closing: closing)
    }

    @Test func `a real server's answers are told apart`() async throws {
        let server = try await PythonServer()
        let found = try await get(server.address)
        #expect(found.isSuccess && found.isWhole)
        #expect(found.head.fields.values("server").first?.hasPrefix("SimpleHTTP") == true)
        let missing = try await get(server.address, path: "/missing?a=%20b")
        #expect(missing.status == 404 && !missing.isSuccess)
        // A folder without its last slash is a redirection.
        let moved = try await get(server.address, path: "/folder")
        #expect(moved.status == 301 && !moved.isSuccess)
    }

    @Test func `the request is one that servers take`() throws {
        #expect(
            HTTPRequest("GET", try HTTPURL("http://localhost:4000/up?x=1")).head()
                == Array(
                    ("GET /up?x=1 HTTP/1.1\r\nHost: localhost:4000\r\nUser-Agent: deployex\r\n"
                        + "Accept: */*\r\nConnection: close\r\n\r\n").utf8))
        for path in ["", "up", "/a b", "/a\r\nb", "/é", "/a#b", "http://x/"] {
            #expect(!HTTPRequest.isPath(path), "\(path)")
        }
        #expect(HTTPRequest.isPath("/a%20b?c=d&e"))
    }

    @Test func `nobody there, an end without an answer, and garbage say so`() async throws {
        let free = SocketAddress.loopback(port: 1)
        await #expect(
            throws: HTTPError.unreachable(
                attempt: "asking 127.0.0.1:1 for /", reason: "connection refused")
        ) { try await get(free) }
        let silent = try await serve([])
        await #expect(
            throws: HTTPError.badResponse(
                attempt: "asking \(silent) for /", .truncated("waiting for a response"))
        ) { try await get(silent) }
        let garbage = try await serve(["\u{0}\u{1}\u{2}\r\n"], closing: false)
        await #expect(
            throws: HTTPError.badResponse(attempt: "asking \(garbage) for /", .badStatusLine("???"))
        ) { try await get(garbage) }
    }

    @Test func `a server that says nothing, or a byte at a time, is left at the deadline`()
        async throws
    {
        for parts in [[], "HTTP/1.1 200 OK and so on and on and on".map(String.init)] {
            let address = try await serve(parts, closing: false)
            await #expect(
                throws: HTTPError.timedOut(
                    attempt: "asking \(address) for /", after: .milliseconds(300))
            ) { try await get(address, within: .milliseconds(300)) }
        }
    }

    @Test func `a head a byte at a time is read within the deadline`() async throws {
        let address = try await serve("HTTP/1.1 200 OK\r\n\r\n".map(String.init))
        #expect(try await get(address).isWhole)
    }

    @Test func `endless headers end at the limit`() async throws {
        let field = String(repeating: "x", count: 1_000)
        let address = try await serve(
            ["HTTP/1.1 200 OK\r\n" + String(repeating: "a: \(field)\r\n", count: 50)],
            closing: false)
        await #expect(
            throws: HTTPError.badResponse(
                attempt: "asking \(address) for /", .headTooLong(limit: 16 << 10))
        ) { try await get(address) }
    }

    @Test func `an answer without an end is an answer`() async throws {
        let stuck = try await serve(
            ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], closing: false)
        var response = try await get(stuck, within: .seconds(10))
        #expect(response.isSuccess && !response.isWhole)
        let endless = try await serve(
            ["HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 70_000)], closing: false)
        response = try await get(endless)
        #expect(response.isSuccess && !response.isWhole)
        let early = try await serve(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 503 No\r\n\r\n"])
        #expect(try await get(early).status == 503)
    }

    @Test func `a cancelled caller does not wait`() async throws {
        let address = try await serve([], closing: false)
        let task = Task { try await get(address, within: .seconds(50)) }
        task.cancel()
        await #expect(throws: HTTPError.stopped(attempt: "asking \(address) for /")) {
            try await task.value
        }
    }
}

/// Sends what it is told to everybody, whatever they ask.
actor RawServer {
    private nonisolated let loop: EventLoop
    private var streams: [TCPStream] = []
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) {
        self.loop = loop
    }

    func listen(_ parts: [String], closing: Bool) throws -> SocketAddress {
        let listener = try TCPListener(on: .loopback(port: 0), loop: loop)
        try listener.start { stream in
            self.assumeIsolated { $0.accept(stream, parts, closing) }
        }
        return listener.address
    }

    private func accept(_ stream: TCPStream, _ parts: [String], _ closing: Bool) {
        streams.append(stream)
        var isAsked = false
        // An end before the request has been read would be a reset.
        stream.start(
            receive: { _ in
                guard !isAsked else { return }
                isAsked = true
                self.assumeIsolated { $0.answer(stream, parts, closing) }
            }, end: { _ in })
    }

    private func answer(_ stream: TCPStream, _ parts: [String], _ closing: Bool) {
        Task {
            for part in parts {
                stream.send(Array(part.utf8))
                await loop.sleep(for: .milliseconds(20))
            }
            if closing { stream.finish() }
        }
    }
}

/// Python's own server, on a port of its choice, with an empty folder that has a folder in it.
private final class PythonServer {
    private let process: ChildProcess
    private let folder = TemporaryFolder("http")
    let address: SocketAddress

    init() async throws {
        try ChildProcess.run("mkdir", [folder("folder")])
        let process = try ChildProcess(
            "python3",
            ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder.path],
            output: .pipe, errors: .null)
        self.process = process
        // Serving HTTP on 127.0.0.1 port 41234 (…) ...
        let line = try await offload { try process.line(containing: " port ") }
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "port"), let port = UInt16(words[index + 1]) else {
            throw TestFailure("python3 says: \(line)")
        }
        address = .loopback(port: port)
    }
}

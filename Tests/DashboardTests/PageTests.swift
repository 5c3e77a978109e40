import Deployment
import Foundation
import HTTP
import TestKit
import Testing
import Transport

@testable import Dashboard

@Suite(.timeLimit(.minutes(2))) struct PageTests {
    /// The files of this repository's `Assets`.
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Assets")

    private static var files: [String: [UInt8]] {
        get throws {
            let names = FileManager.default.enumerator(atPath: folder.path)?.allObjects ?? []
            var files: [String: [UInt8]] = [:]
            for case let name as String in names {
                var isFolder: ObjCBool = false
                let path = folder.appending(path: name).path
                guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                    !isFolder.boolValue, !name.hasPrefix(".")
                else { continue }
                files[name] = Array(try Data(contentsOf: URL(filePath: path)))
            }
            return files
        }
    }

    private let service: DashboardService
    private let loop: EventLoop
    private static let token = "0123456789abcdef"

    init() throws {
        loop = try .onOwnThread()
        var access = DashboardAccess.Settings()
        access.secrets.apiToken = Self.token
        service = DashboardService(
            .init(), access: DashboardAccess(access, loop: loop),
            backends: Backends(deployments: EmptyBackend()), loop: loop)
    }

    private func ask(
        _ method: String, _ target: String, _ fields: [(String, String)] = []
    ) async -> (status: Int, bytes: [UInt8], fields: [HTTPField]) {
        let head = HTTPRequestHead(
            method: method, target: target, fields: fields.map { HTTPField($0, $1) },
            host: "localhost")
        let response = await service.answer(
            HTTPServerRequest(head: head, peer: .loopback(port: 1)))
        guard case .bytes(let bytes) = response.content else {
            return (response.status, [], response.fields)
        }
        return (response.status, bytes, response.fields)
    }

    @Test func `all files but the terminal's together stay under 150 KB compressed`() {
        let files = Asset.all().filter {
            !$0.path.hasPrefix("script/terminal/") && $0.path != "style/terminal.css"
        }
        let count = files.reduce(0) { $0 + ($1.gzip ?? $1.bytes).count }
        #expect((1..<150_000).contains(count))
    }

    @Test func `every file of Assets is in the binary as it is`() async throws {
        let files = try Self.files
        #expect(files["index.html"] != nil)
        #expect(Asset.paths().sorted() == files.keys.sorted(), "run scripts/list-assets.sh")
        for (path, bytes) in files {
            let answer = await ask("GET", "/\(path)")
            #expect(answer.status == 200, "\(path)")
            #expect(answer.bytes == bytes, "\(path)")
            let type = answer.fields.values("content-type").first
            #expect(type != "application/octet-stream", "\(path) has a type")
        }
    }

    @Test func `each page's address answers the shell`() async throws {
        let shell = try Self.files["index.html"]
        for page in ["/", "/login", "/logs", "/versions", "/node", "/terminal", "/applications"] {
            let answer = await ask("GET", page)
            #expect(answer.status == 200 && answer.bytes == shell, "\(page)")
            #expect(answer.fields.values("content-type") == ["text/html; charset=utf-8"])
        }
        #expect(await ask("GET", "/login?0123456789abcdef").bytes == shell)
        #expect(await ask("GET", "/other").status == 404)
        #expect(await ask("POST", "/").status == 405)
    }

    @Test func `the shell needs nothing from elsewhere, and has no code of its own`() throws {
        let shell = String(decoding: try #require(try Self.files["index.html"]), as: UTF8.self)
        for part in [
            "style=", "<style", "onclick=", "onload=", "javascript:", "http://", "https://",
            "=\"/", "<base", "http-equiv",
        ] {
            #expect(!shell.contains(part), "\(part)")
        }
        for tag in shell.split(separator: "<script").dropFirst() {
            #expect(tag.prefix { $0 != ">" }.contains("src="))
        }
    }

    @Test func `a form that the browser has is not sent again`() async throws {
        let plain = await ask("GET", "/")
        let packed = await ask("GET", "/", [("Accept-Encoding", "br, gzip")])
        let tag = try #require(plain.fields.values("etag").first)
        let packedTag = try #require(packed.fields.values("etag").first)
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag != packedTag)
        for (given, status) in [
            (tag, 304), ("W/\(tag)", 304), ("*", 304), ("\"x\", \(tag)", 304), (packedTag, 200),
            ("\"x\"", 200), (String(tag.dropFirst().dropLast()), 200),
        ] {
            let answer = await ask("GET", "/", [("If-None-Match", given)])
            #expect(answer.status == status, "\(given)")
            #expect(answer.fields.values("etag") == [tag])
            #expect(answer.fields.values("vary") == ["Accept-Encoding"])
            #expect(answer.fields.values("cache-control") == ["no-cache"])
            #expect(answer.bytes.isEmpty == (status == 304))
        }
    }

    @Test(arguments: [
        ("gzip", true), ("GZIP;q=0.5", true), ("br, gzip;q=1.0, *;q=0.5", true), ("*", true),
        ("", false), ("br", false), ("gzip;q=0", false), ("*, gzip;q=0.0", false),
        ("identity", false), ("*;q=0", false), ("gzip;q=x", true),
    ])
    func `content is compressed where that is admitted`(
        _ given: String, _ isPacked: Bool
    ) async throws {
        let head = HTTPRequestHead(
            method: "GET", target: "/", fields: [HTTPField("Accept-Encoding", given)])
        let asset = Asset(
            path: "a.css", bytes: Array(String(repeating: "compress ", count: 99).utf8))
        let answer = asset.response(to: HTTPServerRequest(head: head, peer: .loopback(port: 1)))
        #expect(answer.fields.values("content-encoding") == (isPacked ? ["gzip"] : []))
        // What does not get shorter is sent as it is.
        let short = Asset(path: "a.css", bytes: Array("a".utf8))
        #expect(short.gzip == nil)
    }

    @Test func `every answer tells the browser what it may do`() async throws {
        for target in ["/", "/login", "/nothing", "/health", "/api/v1/status", "/api/v1/%zz"] {
            let fields = await ask("GET", target).fields
            #expect(
                fields.values("content-security-policy") == [
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
                        + "data:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
                        + "form-action 'self'; frame-ancestors 'none'; "
                        + "require-trusted-types-for 'script'"
                ], "\(target)")
            #expect(fields.values("x-content-type-options") == ["nosniff"])
            #expect(fields.values("referrer-policy") == ["no-referrer"])
            #expect(fields.values("cross-origin-opener-policy") == ["same-origin"])
            #expect(fields.values("cross-origin-resource-policy") == ["same-origin"])
            // No other page may read anything.
            #expect(fields.values("access-control-allow-origin").isEmpty)
        }
    }

    @Test func `nginx serves the pages and an event stream at a path of its own`() async throws {
        let server = HTTPServer(loop: loop) { [service] in await service.answer($0) }
        let address = try await server.start(on: .loopback(port: 0))
        let nginx = try await Nginx(before: address.port)
        try await attempt {
            let shell = try Self.files["index.html"]
            for path in ["/", "/login", "/index.html"] {
                let answer = try await nginx.ask(path)
                #expect(answer == shell.map { String(decoding: $0, as: UTF8.self) }, "\(path)")
            }
            let packed = try await nginx.ask("/", "--compressed")
            #expect(packed == shell.map { String(decoding: $0, as: UTF8.self) })
            #expect(try await nginx.ask("/health").contains("\"status\": \"ok\""))
            // The figures are not open to whom nginx asks for.
            #expect(try await nginx.ask("/metrics", "-w", "%{http_code}").hasSuffix("401"))
            let stream = try ChildProcess(
                "/usr/bin/curl",
                [
                    "--noproxy", "*", "-sSN", "-H", "Authorization: Bearer \(Self.token)",
                    "http://127.0.0.1:\(nginx.port)/deployex/api/v1/events",
                ], output: .pipe)
            _ = try await offload { try stream.line(containing: "event: status") }
            stream.kill()
        } thenAlways: {
            await nginx.end()
        }
        await server.stop()
    }
}

/// A backend without applications.
struct EmptyBackend: DeploymentBackend {
    func status() -> StatusReport { .empty }
    func versions(of application: String?) -> VersionsReport { .empty }

    func perform(
        _ command: EngineCommand, of application: String, by caller: String
    ) throws(DashboardRefusal) -> String {
        throw DashboardRefusal(.notFound, "no such application")
    }

    func change(
        after seen: Int, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) -> Int {
        if seen == 1 { try? await Task.sleep(for: limit) }
        return 1
    }
}

/// nginx as docs/api.md describes it, with the dashboard at `/deployex/`.
struct Nginx: Sendable {
    let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess

    init(before port: UInt16) async throws {
        folder = TemporaryFolder()
        self.port = FreePorts.take()
        let path = folder.path
        let text = """
            daemon off;
            worker_processes 1;
            pid \(path)/pid;
            error_log stderr;
            events {}
            http {
                access_log off;
                client_body_temp_path \(path)/a; proxy_temp_path \(path)/b;
                fastcgi_temp_path \(path)/c; uwsgi_temp_path \(path)/d; scgi_temp_path \(path)/e;
                server {
                    listen 127.0.0.1:\(self.port);
                    location /deployex/ {
                        proxy_pass http://127.0.0.1:\(port)/;
                        proxy_http_version 1.1;
                        proxy_set_header Host $http_host;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_set_header X-Forwarded-Proto $scheme;
                    }
                }
            }
            """
        try text.write(toFile: path + "/nginx.conf", atomically: true, encoding: .utf8)
        process = try ChildProcess(
            "/usr/sbin/nginx", ["-c", path + "/nginx.conf"], output: .inherited)
        let own = self.port
        _ = try await offload { [process] in try process.listening(on: own) }
    }

    /// The text that curl prints.
    func ask(_ path: String, _ arguments: String...) async throws -> String {
        try await offload { [port] in
            try ChildProcess.run(
                "/usr/bin/curl",
                ["--noproxy", "*", "-sS", "--max-time", "20"] + arguments
                    + ["http://127.0.0.1:\(port)/deployex\(path)"])
        }
    }

    func end() async {
        await offload { [process] in process.end(within: .seconds(10)) }
    }
}

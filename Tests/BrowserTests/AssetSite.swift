import HTTP
import TestKit
import Transport

/// Serves the dashboard's files from `Assets`, as deployex does, and an invented deployex behind
/// them, which shows what a real one seldom shows.
struct AssetSite: Sendable {
    let server: HTTPServer
    let port: UInt16
    let deployex: InventedDeployex

    static let root = BuiltProgram.root

    static func start(_ deployex: InventedDeployex = InventedDeployex()) async throws -> AssetSite {
        let loop = try EventLoop.onOwnThread()
        let server = HTTPServer(loop: loop) { await answer($0, deployex) }
        let address = try await server.start(on: .loopback(port: 0))
        return AssetSite(server: server, port: address.port, deployex: deployex)
    }

    func stop() async {
        await deployex.stop()
        await server.stop()
    }

    func url(_ path: String) -> String { "http://localhost:\(port)/\(path)" }

    private static func answer(
        _ request: HTTPServerRequest, _ deployex: InventedDeployex
    ) async -> HTTPServerResponse {
        let path = String(request.head.path.dropFirst())
        if path.hasPrefix("api/v1/") {
            return await deployex.answer(request, String(path.dropFirst("api/v1/".count)))
        }
        if path == "tests/blank" { return page(200, "<!doctype html><title>blank</title>") }
        let isTest = path.hasPrefix("tests/")
        let file = isTest ? "Tests/BrowserTests/Modules/\(path.dropFirst(6))" : "Assets/\(path)"
        guard !path.contains(".."), let type = types.first(where: { path.hasSuffix($0.key) })
        else {
            // Every page is the same shell.
            let isKnown = ["", "login", "logs", "versions", "node", "terminal"].contains(path)
            return page(isKnown ? 200 : 404, Files.text("\(root)/Assets/index.html"))
        }
        let bytes = Files.bytes("\(root)/\(file)")
        guard !bytes.isEmpty else { return .text(404, "there is nothing here") }
        return HTTPServerResponse(
            200, fields: headers + [HTTPField("Content-Type", type.value)], content: .bytes(bytes))
    }

    private static func page(_ status: Int, _ text: String) -> HTTPServerResponse {
        HTTPServerResponse(
            status, fields: headers + [HTTPField("Content-Type", "text/html; charset=utf-8")],
            content: .bytes(Array(text.utf8)))
    }

    private static let types = [
        ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ]

    private static let headers = [
        HTTPField(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                + "connect-src 'self'; base-uri 'none'; form-action 'self'; "
                + "frame-ancestors 'none'; require-trusted-types-for 'script'"),
        HTTPField("X-Content-Type-Options", "nosniff"),
        HTTPField("Referrer-Policy", "no-referrer"), HTTPField("Cache-Control", "no-store"),
    ]
}

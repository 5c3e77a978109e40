import Deployment
import ExternalTermFormat
import Foundation
import HTTP
import TestKit
import Testing
import Transport

@testable import Dashboard

/// Logins, and what they are good for, as a browser would ask.
@Suite(.timeLimit(.minutes(2))) struct LoginTests {
    /// A time that goes on when the test says so.
    private final class Clock: Sendable {
        private let time = Guarded(MonotonicTime(nanoseconds: 0))
        var now: MonotonicTime { time.withLock { $0 } }
        func pass(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
    }

    private final class Log: Sendable {
        private let texts = Guarded<[String]>([])
        var lines: [String] { texts.withLock { $0 } }

        func add(_ report: DashboardReport) {
            let text =
                switch report {
                case .info(let text), .warning(let text): text
                }
            texts.withLock { $0.append(text) }
        }
    }

    /// Of "an administrator" and "only a viewer", as cheap as may be: others wait for this processor.
    private static let administrator = PasswordHash(
        "scrypt:14:8:1:000102030405060708090a0b0c0d0e0f:"
            + "c660e740b593267de2488ee3b26a5fb06958cbdcb3183d18f7ae13b702005ebc")
    private static let viewer = PasswordHash(
        "scrypt:14:8:1:000102030405060708090a0b0c0d0e0f:"
            + "e4ce2242288573978f87454ea816f20652cb4f0c86ab18bec5214bbb36f16ffa")

    private let loop: EventLoop
    private let clock = Clock()
    private let log = Log()

    init() throws {
        loop = try .onOwnThread()
    }

    private struct Site {
        var service: DashboardService
        var access: DashboardAccess
        var terminals: Terminals
    }

    /// An area with a route for each level, and what belongs to sessions.
    private actor Terminals: DashboardArea {
        private(set) var ended: [SessionID] = []

        nonisolated var routes: [Route] {
            [
                Route("GET", "/test/viewer", .viewer) {
                    .json(200, .binary($0.visitor.description))
                },
                Route("POST", "/test/act", .administrator) { _ in .noContent },
                Route("POST", "/test/terminal", .terminal) { _ in .noContent },
            ]
        }

        func sessionEnded(_ session: SessionID) { ended.append(session) }
    }

    private func site(
        administrator: PasswordHash? = Self.administrator, viewer: PasswordHash? = Self.viewer,
        _ change: (inout DashboardAccess.Settings) -> Void = { _ in }
    ) -> Site {
        var settings = DashboardAccess.Settings()
        settings.secrets.administrator = administrator
        settings.secrets.viewer = viewer
        settings.secrets.apiToken = "0123456789abcdef"
        change(&settings)
        let access = DashboardAccess(
            settings, loop: loop, report: { [log] in log.add($0) },
            clock: { [clock] in clock.now })
        let terminals = Terminals()
        let service = DashboardService(
            .init(), access: access, backends: Backends(deployments: EmptyBackend()), loop: loop,
            adding: [terminals])
        return Site(service: service, access: access, terminals: terminals)
    }

    private struct Answer {
        var status: Int
        var json: JSONValue?
        var fields: [HTTPField]
        var token: String { json?["token"]?.text ?? "" }
        /// `NAME=VALUE` of the cookie that is set.
        var cookie: String {
            String(fields.values("set-cookie").first?.prefix { $0 != ";" } ?? "")
        }
    }

    private static let origin = ("Origin", "http://localhost:5001")

    private func ask(
        _ site: Site, _ method: String, _ target: String, _ content: String = "",
        _ fields: [(String, String)] = [Self.origin], peer: String = "127.0.0.1",
        isSecure: Bool = false
    ) async -> Answer {
        let head = HTTPRequestHead(
            method: method, target: target, fields: fields.map { HTTPField($0, $1) },
            host: "localhost:5001")
        let response = await site.service.answer(
            HTTPServerRequest(
                head: head, content: Array(content.utf8),
                peer: SocketAddress(peer, port: 40_000) ?? .loopback(port: 1), isSecure: isSecure))
        guard case .bytes(let bytes) = response.content else {
            return Answer(status: response.status, json: nil, fields: response.fields)
        }
        return Answer(
            status: response.status, json: try? JSONReader.value(bytes), fields: response.fields)
    }

    private func logIn(
        _ site: Site, _ password: String, peer: String = "127.0.0.1",
        _ fields: [(String, String)] = [Self.origin]
    ) async -> Answer {
        await ask(
            site, "POST", "/api/v1/session", #"{"password": "\#(password)"}"#, fields, peer: peer)
    }

    private func linked(_ site: Site) async -> Answer {
        let link = await site.access.makeLink()
        return await ask(site, "POST", "/api/v1/session", #"{"link": "\#(link)"}"#)
    }

    private func own(_ login: Answer) -> [(String, String)] {
        [Self.origin, ("Cookie", login.cookie), ("X-Deployex-Token", login.token)]
    }

    private var lines: [String] { log.lines }

    @Test func `each password has its role`() async {
        let site = site()
        let administrator = await logIn(site, "an administrator")
        #expect(administrator.status == 200)
        #expect(administrator.json?["role"] == .string("administrator"))
        #expect(administrator.json?["terminal"] == .bool(true))
        let viewer = await logIn(site, "only a viewer")
        #expect(viewer.json?["role"] == .string("viewer"))
        #expect(viewer.json?["terminal"] == .bool(false))
        #expect(await ask(site, "GET", "/test/viewer", "", own(viewer)).status == 200)
        #expect(await ask(site, "POST", "/test/act", "", own(viewer)).status == 403)
        #expect(await ask(site, "POST", "/test/terminal", "", own(viewer)).status == 403)
        #expect(await ask(site, "POST", "/test/act", "", own(administrator)).status == 204)
        let session = await ask(site, "GET", "/api/v1/session", "", own(viewer))
        #expect(session.json?["role"] == .string("viewer"))
        #expect(session.json?["methods"] == .array([.string("password"), .string("link")]))
        #expect(lines.contains { $0.contains("login of the administrator of session 1") })
        let all = lines.joined()
        for secret in ["an administrator\"", "only a viewer", viewer.token, viewer.cookie] {
            #expect(!all.contains(secret))
        }
    }

    @Test func `a password that is changed logs out whoever has used it, and nobody else`() async {
        let site = site()
        let (administrator, viewer) = (
            await logIn(site, "an administrator"), await logIn(site, "only a viewer")
        )
        let linked = await linked(site)
        var secrets = DashboardSecrets()
        (secrets.administrator, secrets.viewer) = (Self.viewer, Self.viewer)
        secrets.apiToken = "0123456789abcdef"
        #expect(await site.access.take(secrets) == ["the administrator's password"])
        #expect(await ask(site, "GET", "/test/viewer", "", own(administrator)).status == 401)
        #expect(await ask(site, "GET", "/test/viewer", "", own(viewer)).status == 200)
        #expect(await ask(site, "POST", "/test/act", "", own(linked)).status == 204)
        #expect(await logIn(site, "an administrator").status == 401)
        secrets.apiToken = "another token of the API"
        #expect(await site.access.take(secrets) == ["the API's token"])
        let old = [("Authorization", "Bearer 0123456789abcdef")]
        #expect(await ask(site, "GET", "/test/viewer", "", old).status == 401)
        let new = [("Authorization", "Bearer another token of the API")]
        #expect(await ask(site, "GET", "/test/viewer", "", new).status == 200)
        #expect(await site.access.take(secrets) == [])
    }

    @Test func `there is no account until somebody makes one`() async {
        let site = site(administrator: nil, viewer: nil)
        for password in ["", "admin", "password", "deployex"] {
            #expect(await logIn(site, password).status == 401)
        }
        let answer = await ask(site, "GET", "/api/v1/session")
        #expect(answer.status == 401)
        #expect(answer.json?["methods"] == .array([.string("link")]))
        // Only the viewer has one: nobody becomes administrator by a password.
        let other = self.site(administrator: nil)
        #expect(await logIn(other, "an administrator").status == 401)
        #expect(await logIn(other, "only a viewer").status == 200)
    }

    @Test func `a cookie without the token is worth nothing, and a token without the cookie`()
        async
    {
        let site = site()
        let (one, two) = (await linked(site), await linked(site))
        for fields in [
            [("Cookie", one.cookie)], [("X-Deployex-Token", one.token)],
            [("Cookie", one.cookie), ("X-Deployex-Token", two.token)],
            [("Cookie", one.cookie), ("X-Deployex-Token", "")],
            [("Cookie", one.cookie), ("X-Deployex-Token", one.token), ("X-Deployex-Token", "x")],
            [],
        ] {
            for target in ["/test/viewer", "/api/v1/status", "/api/v1/events", "/api/v1/session"] {
                let answer = await ask(site, "GET", target, "", [Self.origin] + fields)
                #expect(answer.status == 401, "\(fields) \(target)")
            }
        }
        // Beside a cookie of the same name from another program of this host.
        let mixed = [
            Self.origin, ("Cookie", "deployex_5001=forged; \(one.cookie)"),
            ("X-Deployex-Token", one.token),
        ]
        #expect(await ask(site, "GET", "/test/viewer", "", mixed).status == 200)
    }

    @Test func `other origins act not, watch not, and log nobody in`() async {
        let site = site()
        let login = await linked(site)
        for origin in [
            "http://localhost:4000", "https://localhost:5001", "http://evil.example", "null",
        ] {
            let fields = [("Origin", origin)] + own(login).dropFirst()
            for (method, target) in [
                ("GET", "/test/viewer"), ("POST", "/test/act"), ("GET", "/api/v1/events"),
                ("PUT", "/api/v1/events/x/topics"), ("DELETE", "/api/v1/session"),
                ("POST", "/test/terminal"),
            ] {
                #expect(await ask(site, method, target, "", fields).status == 403, "\(origin)")
            }
            #expect(await logIn(site, "an administrator", [("Origin", origin)]).status == 403)
        }
        #expect(await logIn(site, "an administrator", []).status == 403)
        let sameSite = own(login) + [("Sec-Fetch-Site", "same-site")]
        #expect(await ask(site, "POST", "/test/act", "", sameSite).status == 403)
        let withoutOrigin = Array(own(login).dropFirst())
        #expect(await ask(site, "POST", "/test/act", "", withoutOrigin).status == 403)
        #expect(await ask(site, "POST", "/test/act", "", own(login)).status == 204)
    }

    @Test func `a login makes a new session, and ends the one before`() async {
        let site = site()
        let first = await linked(site)
        let link = await site.access.makeLink()
        let second = await ask(
            site, "POST", "/api/v1/session", #"{"link": "\#(link)"}"#, own(first))
        #expect(second.status == 200)
        #expect(second.cookie != first.cookie && second.token != first.token)
        #expect(await ask(site, "GET", "/test/viewer", "", own(first)).status == 401)
        #expect(await ask(site, "GET", "/test/viewer", "", own(second)).status == 200)
        #expect(await site.terminals.ended == [SessionID(number: 1)])
    }

    @Test func `a link logs in once`() async {
        let site = site()
        let link = await site.access.makeLink()
        let content = #"{"link": "\#(link)"}"#
        #expect(await ask(site, "POST", "/api/v1/session", content).status == 200)
        #expect(await ask(site, "POST", "/api/v1/session", content).status == 401)
        let late = await site.access.makeLink()
        clock.pass(.seconds(600))
        let answer = await ask(site, "POST", "/api/v1/session", #"{"link": "\#(late)"}"#)
        #expect(answer.status == 401)
        #expect(lines.contains { $0.contains("A login link that is not valid") })
        #expect(!lines.joined().contains(link))
    }

    @Test func `logout ends the session, its streams and its terminals`() async throws {
        let site = site()
        let login = await linked(site)
        let server = HTTPServer(loop: loop) { await site.service.answer($0) }
        let address = try await server.start(on: .loopback(port: 0))
        // The browser's port is the server's.
        let fields = own(login).dropFirst().flatMap { ["-H", "\($0.0): \($0.1)"] }
        let curl = try ChildProcess(
            "/usr/bin/curl",
            ["--noproxy", "*", "-sSN"] + fields
                + ["http://127.0.0.1:\(address.port)/api/v1/events"], output: .pipe)
        _ = try await offload { try curl.line(containing: "event: status") }
        let logout = await ask(site, "DELETE", "/api/v1/session", "", own(login))
        #expect(logout.status == 204)
        #expect(logout.fields.values("set-cookie").first?.contains("Max-Age=0") == true)
        #expect(await offload { curl.waitForEnd(.seconds(20)) } != nil)
        #expect(await site.terminals.ended == [SessionID(number: 1)])
        #expect(await ask(site, "GET", "/test/viewer", "", own(login)).status == 401)
        #expect(await ask(site, "DELETE", "/api/v1/session", "", own(login)).status == 401)
        #expect(lines.last == "Dashboard: session 1 of the administrator has logged out")
        await server.stop()
    }

    @Test func `a session expires, and what belongs to it ends`() async {
        let site = site { $0.sessions.idleTime = .seconds(60) }
        let login = await linked(site)
        clock.pass(.seconds(59))
        #expect(await ask(site, "GET", "/test/viewer", "", own(login)).status == 200)
        await site.access.removeExpired()
        #expect(await site.terminals.ended.isEmpty)
        clock.pass(.seconds(60))
        #expect(await ask(site, "GET", "/test/viewer", "", own(login)).status == 401)
        await site.access.removeExpired()
        #expect(await site.terminals.ended == [SessionID(number: 1)])
    }

    @Test func `guesses are limited for each source and in all, also when they come at once`()
        async
    {
        let site = site(viewer: nil) {
            $0.attempts.countOfSource = 3
            $0.attempts.count = 5
        }
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 { group.addTask { await logIn(site, "a wrong guess").status } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.count { $0 == 401 } == 3)
        #expect(statuses.allSatisfy { [401, 429].contains($0) })
        let limited = await logIn(site, "an administrator")
        #expect(limited.status == 429)
        #expect(limited.fields.values("retry-after").first.flatMap { Int($0) } == 61)
        #expect(await linked(site).status == 429)
        // Behind a proxy of this host, others are not held up.
        let proxied = [Self.origin, ("X-Forwarded-For", "192.0.2.7")]
        #expect(await logIn(site, "an administrator", proxied).status == 200)
        for _ in 0..<2 {
            #expect(await logIn(site, "a wrong guess", peer: "192.0.2.8").status == 401)
        }
        #expect(await logIn(site, "an administrator", peer: "192.0.2.9").status == 429)
        clock.pass(.seconds(60))
        #expect(await logIn(site, "an administrator").status == 200)
        #expect(lines.filter { $0.contains("A wrong password") }.count == 5)
    }

    @Test func `a terminal takes the password again, or a session by link`() async {
        let site = site()
        let login = await logIn(site, "an administrator")
        func terminal(_ content: String, _ login: Answer) async -> Int {
            await ask(site, "POST", "/test/terminal", content, own(login)).status
        }
        #expect(await terminal("", login) == 403)
        #expect(await terminal(#"{"password": "only a viewer"}"#, login) == 403)
        #expect(await terminal(#"{"password": "an administrator"}"#, login) == 204)
        #expect(await terminal(#"{"columns": 80}"#, login) == 403)
        #expect(await terminal("", await linked(site)) == 204)
        let token = [("Authorization", "Bearer 0123456789abcdef")]
        #expect(await ask(site, "POST", "/test/terminal", "", token).status == 403)
        #expect(await ask(site, "POST", "/test/act", "", token).status == 204)
        let off = self.site { $0.terminals = .nowhere }
        let other = await linked(off)
        #expect(other.json?["terminal"] == .bool(false))
        #expect(await ask(off, "POST", "/test/terminal", "", own(other)).status == 403)
    }

    @Test func `a terminal is not opened through a proxy unless that is configured`() async {
        for (permission, isOpened) in [(TerminalPermission.onThisHost, false), (.everywhere, true)]
        {
            let site = site { $0.terminals = permission }
            let login = await linked(site)
            #expect(login.json?["terminal"] == .bool(true))
            let proxied = own(login) + [("X-Forwarded-For", "192.0.2.1")]
            // The page is told what it may do from where it is.
            let session = await ask(site, "GET", "/api/v1/session", "", proxied)
            #expect(session.json?["terminal"] == .bool(isOpened))
            let answer = await ask(site, "POST", "/test/terminal", "", proxied)
            #expect(answer.status == (isOpened ? 204 : 403))
            #expect(await ask(site, "POST", "/test/terminal", "", own(login)).status == 204)
        }
    }

    @Test func `over HTTPS the cookie is the host's alone`() async {
        let site = site()
        let link = await site.access.makeLink()
        let origin = [("Origin", "https://localhost:5001")]
        let login = await ask(
            site, "POST", "/api/v1/session", #"{"link": "\#(link)"}"#, origin, isSecure: true)
        #expect(login.cookie.hasPrefix("__Host-deployex_5001="))
        let fields = [("Cookie", login.cookie), ("X-Deployex-Token", login.token)]
        #expect(
            await ask(site, "GET", "/test/viewer", "", origin + fields, isSecure: true).status
                == 200)
        #expect(await ask(site, "GET", "/test/viewer", "", [Self.origin] + fields).status == 401)
    }

    @Test(arguments: ["", "[]", "{}", #"{"password": 1}"#, "x", #"{"link": null}"#])
    func `what is no login is refused`(_ content: String) async {
        #expect(await ask(site(), "POST", "/api/v1/session", content).status == 400)
    }
}

import Deployment
import ExternalTermFormat
import Foundation
import HTTP
import Supervisor
import TestKit
import Testing
import Transport

@testable import Dashboard

/// Shows one application, and remembers what was done.
private actor Backend: DeploymentBackend {
    private(set) var commands: [String] = []
    private var revision = 0
    private var deployed: String?
    var report: StatusReport
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init() {
        var instance = StatusReport.Instance.empty
        instance.number = 1
        instance.status = "running"
        instance.otp = "connected"
        instance.crashRestarts = 3
        var application = StatusReport.Application.empty
        application.name = "we\"b\\\n"
        application.instances = [instance]
        report = StatusReport.empty
        report.version = "1.0"
        report.uptimeSeconds = 12
        report.applications = [application]
    }

    func status() -> StatusReport { report }

    func versions(of application: String?) -> VersionsReport {
        var report = VersionsReport.empty
        if application == nil || application == "web" {
            var found = VersionsReport.Application.empty
            found.name = "web"
            if let deployed {
                var entry = VersionsReport.Outcome.empty
                entry.version = deployed
                found.history = [entry]
            }
            report.applications = [found]
        }
        return report
    }

    func perform(
        _ command: EngineCommand, of application: String, by caller: String
    ) throws(DashboardRefusal) -> String {
        if application == "missing" { throw DashboardRefusal(.notFound, "no such application") }
        if application == "busy" { throw DashboardRefusal(.conflict, "not now") }
        commands.append("\(application): \(command) by \(caller)")
        return "done"
    }

    /// An application `web` with so many instances that run.
    func add(instances count: Int) {
        var application = StatusReport.Application.empty
        application.name = "web"
        application.instances = (1...count).map { number in
            var instance = StatusReport.Instance.empty
            instance.number = number
            instance.status = "running"
            instance.version = "1.0.0"
            instance.pid = number
            return instance
        }
        report.applications.append(application)
    }

    func replaceProcess(of number: Int) {
        report.applications[1].instances[number - 1].pid = 100 + number
        changed()
    }

    func ghost(_ versions: [String]) {
        report.applications[1].ghosted = versions.map {
            var ghost = StatusReport.Ghost.empty
            ghost.version = $0
            return ghost
        }
    }

    func deploy(_ version: String) {
        deployed = version
        changed()
    }

    func set(_ status: String) {
        report.applications[0].instances[0].status = status
        changed()
    }

    private func changed() {
        revision += 1
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    func change(after seen: Int, by observer: String, within limit: Duration) async -> Int {
        if seen == revision { await withCheckedContinuation { waiters.append($0) } }
        return revision
    }
}

@Suite(.timeLimit(.minutes(1))) struct DashboardServiceTests {
    private let backend = Backend()
    private let service: DashboardService
    private let loop: EventLoop
    private static let token = "0123456789abcdef"

    init() throws {
        loop = try .onOwnThread()
        var access = DashboardAccess.Settings()
        access.secrets.apiToken = Self.token
        access.attempts.countOfSource = 2
        service = DashboardService(
            .init(), access: DashboardAccess(access, loop: loop),
            backends: Backends(deployments: backend), loop: loop)
    }

    private func ask(
        _ method: String, _ target: String, _ content: String = "", token: String? = token,
        fields: [HTTPField] = [], host: String = "localhost:5001", peer: String = "127.0.0.1"
    ) async throws -> (status: Int, text: String, fields: [HTTPField]) {
        var fields = fields
        if let token { fields.append(HTTPField("Authorization", "Bearer \(token)")) }
        let head = HTTPRequestHead(method: method, target: target, fields: fields, host: host)
        let address = try #require(SocketAddress(peer, port: 40_000))
        let response = await service.answer(
            HTTPServerRequest(head: head, content: Array(content.utf8), peer: address))
        guard case .bytes(let bytes) = response.content else {
            return (response.status, "a stream", response.fields)
        }
        return (response.status, String(decoding: bytes, as: UTF8.self), response.fields)
    }

    @Test func `health is open to everybody, and tells whether all runs`() async throws {
        let healthy = try await ask("GET", "/health", token: nil, peer: "192.0.2.1")
        #expect(healthy.status == 200)
        #expect(healthy.text.contains("\"status\": \"ok\""))
        for status in ["starting", "unresponsive", "backoff", "failed"] {
            await backend.set(status)
            let found = try await ask("GET", "/health", token: nil)
            #expect(found.status == 503)
            #expect(found.text.contains("\"degraded\""))
        }
    }

    @Test func `figures are open to this host, and to others with the token`() async throws {
        #expect(try await ask("GET", "/metrics", token: nil).status == 200)
        #expect(try await ask("GET", "/metrics", token: nil, peer: "192.0.2.1").status == 401)
        #expect(try await ask("GET", "/metrics", peer: "192.0.2.1").status == 200)
        for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
            let proxied = try await ask(
                "GET", "/metrics", token: nil, fields: [HTTPField(name, "192.0.2.1")])
            #expect(proxied.status == 401, "through a proxy that says \(name)")
        }
    }

    @Test func `the figures are in Prometheus' format`() async throws {
        let text = try await ask("GET", "/metrics").text
        #expect(text.contains("deployex_build_info{version=\"1.0\"} 1\n"))
        for name in [
            "process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_open_fds ",
            "deployex_event_loop_turn_seconds_bucket{le=\"+Inf\"} ",
            "deployex_event_loop_turn_seconds_bucket{le=\"0.005\"} ", "deployex_logins_total 0\n",
            "deployex_failed_logins_total ",
        ] {
            #expect(text.contains("\n" + name), "\(name)")
        }
        #expect(
            text.contains(
                #"deployex_instance_status{app="we\"b\\\n",instance="1",status="running"} 1"#))
        #expect(text.contains(#"status="failed"} 0"#))
        #expect(text.contains(#"restarts_total{app="we\"b\\\n",instance="1"} 3"#))
        var seen: Set<Substring> = []
        var family: Substring = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") {
                family = line.split(separator: " ")[2]
                #expect(seen.insert(family).inserted, "\(family) comes once")
            } else if !line.hasPrefix("#") {
                #expect(line.hasPrefix(family), "\(line) belongs to \(family)")
            }
        }
    }

    @Test func `the API needs the token, and guesses are limited`() async throws {
        for target in ["/api/v1/status", "/api/v1/versions", "/api/v1/events"] {
            #expect(try await ask("GET", target, token: nil).status == 401)
        }
        #expect(try await ask("GET", "/api/v1/status").status == 200)
        #expect(try await ask("GET", "/api/v1/status", token: Self.token + "x").status == 401)
        #expect(try await ask("GET", "/api/v1/status", token: "x").status == 401)
        let limited = try await ask("GET", "/api/v1/status")
        #expect(limited.status == 429)
        #expect(limited.fields.contains { $0.name == "Retry-After" })
        #expect(try await ask("GET", "/api/v1/status", peer: "192.0.2.1").status == 200)
        #expect(await backend.commands.isEmpty)
    }

    @Test func `without a token the API answers nobody`() async throws {
        let service = DashboardService(
            .init(), access: DashboardAccess(.init(), loop: loop),
            backends: Backends(deployments: backend), loop: loop)
        let response = await service.answer(
            HTTPServerRequest(
                head: HTTPRequestHead(
                    method: "GET", target: "/api/v1/status",
                    fields: [HTTPField("Authorization", "Bearer x")], host: "localhost"),
                peer: .loopback(port: 1)))
        #expect(response.status == 403)
    }

    @Test func `all instances are restarted, each when the one before is ready`() async throws {
        await backend.add(instances: 3)
        let answer = try await ask("POST", "/api/v1/apps/web/restart")
        #expect(answer.status == 202)
        #expect(answer.text.contains("done, and then the other 2 in turn"))
        #expect(await backend.commands.map { $0.prefix(15) } == ["web: restart(1)"])
        #expect(try await ask("POST", "/api/v1/apps/web/restart").status == 409)
        // The old process still runs: that is not what is waited for.
        await backend.set("running")
        await backend.set("starting")
        #expect(await backend.commands.count == 1)
        for number in 1...2 {
            await backend.replaceProcess(of: number)
            try await eventually { await backend.commands.count == number + 1 }
        }
        #expect(await backend.commands.last?.hasPrefix("web: restart(3)") == true)
        try await eventually {
            try await ask("POST", "/api/v1/apps/web/restart").status == 202
        }
        #expect(try await ask("POST", "/api/v1/apps/other/restart").status == 404)
    }

    @Test func `every ghosted version is let go`() async throws {
        await backend.add(instances: 1)
        let target = "/api/v1/apps/web/unghost"
        #expect(try await ask("POST", target, #"{"all": true}"#).status == 409)
        await backend.ghost(["1.0.0", "1.1.0"])
        #expect(try await ask("POST", target, #"{"all": true}"#).status == 202)
        #expect(
            await backend.commands.map { $0.prefix(21) }
                == ["web: unghost(\"1.0.0\")", "web: unghost(\"1.1.0\")"])
        #expect(try await ask("POST", target, #"{"all": false}"#).status == 400)
    }

    @Test func `the topic versions tells of changes of the history only`() async throws {
        let area = DeploymentArea(backend, loop: loop, report: { _ in })
        let visitor = Visitor(.token, .administrator, from: PeerSource(.loopback(port: 1)))
        let topic = try #require(try area.topic(["versions"], for: visitor))
        let first = try await topic.next(after: nil)
        #expect(first.content.contains(#""name":"web""#))
        let second = Task { try await topic.next(after: first.cursor) }
        await backend.set("starting")
        await backend.set("running")
        await backend.deploy("2.0.0")
        let news = try await second.value
        #expect(news.content.contains("2.0.0") && news.cursor != first.cursor)
        #expect(try await topic.next(after: "of another run").cursor == news.cursor)
        #expect(try area.topic(["versions", "x"], for: visitor) == nil)
    }

    @Test(arguments: [
        ("restart", "", "restart(1)"), ("stop", "", "stop(1)"), ("start", "", "start(1)"),
    ])
    func `instances are commanded`(
        _ verb: String, _ content: String, _ command: String
    ) async throws {
        let answer = try await ask("POST", "/api/v1/apps/web/instances/1/\(verb)", content)
        #expect(answer.status == 202)
        #expect(answer.text.contains("\"text\": \"done\""))
        let expected = "web: \(command) by the API (this host's loopback)"
        #expect(await backend.commands == [expected])
        #expect(try await ask("GET", "/api/v1/apps/web/instances/1/\(verb)").status == 405)
        for number in ["0", "-1", "x", "99999999999999999999"] {
            let target = "/api/v1/apps/web/instances/\(number)/\(verb)"
            #expect(try await ask("POST", target).status == 404)
        }
        #expect(await backend.commands.count == 1)
    }

    @Test func `applications are commanded`() async throws {
        for (verb, content) in [
            ("deploy", #"{"version": "1.2.3"}"#), ("deploy", #"{"version": "auto"}"#),
            ("rollback", ""), ("unghost", #"{"version": "1.0.0"}"#),
        ] {
            #expect(try await ask("POST", "/api/v1/apps/web/\(verb)", content).status == 202)
        }
        #expect(
            await backend.commands
                == [
                    "web: deploy(version: Optional(\"1.2.3\"))", "web: deploy(version: nil)",
                    "web: rollback", "web: unghost(\"1.0.0\")",
                ].map { $0 + " by the API (this host's loopback)" })
        for content in ["", "{}", "[]", "x", #"{"version": 1}"#, #"{"version": ""}"#] {
            #expect(try await ask("POST", "/api/v1/apps/web/deploy", content).status == 400)
        }
        #expect(try await ask("POST", "/api/v1/apps/missing/rollback").status == 404)
        #expect(try await ask("POST", "/api/v1/apps/busy/rollback").status == 409)
        #expect(await backend.commands.count == 4)
    }

    @Test func `an unknown name, path or method is refused`() async throws {
        #expect(try await ask("GET", "/health", host: "evil.example").status == 421)
        #expect(try await ask("GET", "/nothing").status == 404)
        #expect(try await ask("GET", "/api/v1/../v1/status").status == 404)
        let other = try await ask("DELETE", "/health")
        #expect(other.status == 405)
        #expect(other.fields.contains(HTTPField("Allow", "GET, HEAD")))
        #expect(try await ask("GET", "/api/v1/apps/other/versions").status == 404)
        #expect(try await ask("GET", "/api/v1/apps/web/versions").status == 200)
    }

    @Test func `a stream shows each change`() async throws {
        let server = HTTPServer(loop: loop) { [service] in await service.answer($0) }
        let address = try await server.start(on: .loopback(port: 0))
        let curl = try ChildProcess(
            "/usr/bin/curl",
            [
                "--noproxy", "*", "-sS", "-N", "-i", "-H", "Authorization: Bearer \(Self.token)",
                "http://127.0.0.1:\(address.port)/api/v1/events",
            ], output: .pipe)
        try await offload {
            for text in [
                "Content-Type: text/event-stream", "retry: 1000", "event: stream", "event: status",
                "id: ",
            ] {
                _ = try curl.line(containing: text)
            }
            _ = try curl.line(containing: #""status":"running""#)
        }
        await backend.set("backoff")
        try await offload {
            _ = try curl.line(containing: #""status":"backoff""#)
        }
        curl.kill()
        // Its next event finds nobody.
        await backend.set("running")
        try await eventually("nobody is connected") { await server.connectionCount == 0 }
        await server.stop()
    }
}

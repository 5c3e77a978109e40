internal import Deployment
internal import ExternalTermFormat
package import HTTP
internal import Supervisor
package import Transport

/// What the dashboard's address serves. Its ``answer(_:)`` is the handler of an ``HTTPServer``.
package actor DashboardService {
    package struct Settings: Sendable {
        /// The names under which it may be asked.
        package var hosts = AllowedHosts()
        /// The token of `/api` and `/metrics`; without it `/api` answers nobody.
        package var apiToken: String?
        package var attempts = AttemptLimit.Limits()

        package init() {}
    }

    private enum Page: Sendable {
        case health, metrics, status, versions, versionsOf, events
        case command(Command)
    }

    private enum Command: String, Sendable {
        case restart, stop, start, deploy, rollback, unghost
    }

    private nonisolated let loop: EventLoop
    private let settings: Settings
    private let backend: any DashboardBackend
    private let processFigures: @Sendable () -> [Metrics.Sample]
    private var attempts: AttemptLimit
    private var streamCount = 0

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    private static let router = Router<Page>([
        .init("GET", "/health", .health),
        .init("GET", "/metrics", .metrics),
        .init("GET", "/api/v1/status", .status),
        .init("GET", "/api/v1/versions", .versions),
        .init("GET", "/api/v1/apps/:app/versions", .versionsOf),
        .init("GET", "/api/v1/events", .events),
        .init("POST", "/api/v1/apps/:app/instances/:instance/restart", .command(.restart)),
        .init("POST", "/api/v1/apps/:app/instances/:instance/stop", .command(.stop)),
        .init("POST", "/api/v1/apps/:app/instances/:instance/start", .command(.start)),
        .init("POST", "/api/v1/apps/:app/deploy", .command(.deploy)),
        .init("POST", "/api/v1/apps/:app/rollback", .command(.rollback)),
        .init("POST", "/api/v1/apps/:app/unghost", .command(.unghost)),
    ])

    /// Event streams at a time.
    private static let streamLimit = 200
    /// How long a stream says nothing at most. nginx gives up after a minute.
    private static let keepAlive: Duration = .seconds(15)

    /// - Parameter processFigures: figures of deployex's own process.
    package init(
        _ settings: Settings, backend: any DashboardBackend, loop: EventLoop,
        processFigures: @escaping @Sendable () -> [Metrics.Sample] = { [] }
    ) {
        self.settings = settings
        self.backend = backend
        self.loop = loop
        self.processFigures = processFigures
        attempts = AttemptLimit(limits: settings.attempts)
    }

    package func answer(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        guard settings.hosts.allow(request.head.host) else {
            return .text(421, "deployex is not known here under this name")
        }
        guard let path = RequestPath(request.head.path) else {
            return .error(404, "there is nothing here")
        }
        switch Self.router.match(method: request.method, path: path) {
        case .notFound: return .error(404, "there is nothing here")
        case .otherMethods(let methods):
            var response = HTTPServerResponse.error(405, "the method is not allowed here")
            let allowed = methods.contains("GET") ? methods + ["HEAD"] : methods
            response.fields.append(HTTPField("Allow", allowed.joined(separator: ", ")))
            return response
        case .found(let page, let parameters):
            if let refusal = refusal(of: request, for: page) { return refusal }
            return await answer(request, page, parameters)
        }
    }

    // MARK: Access

    private func refusal(of request: HTTPServerRequest, for page: Page) -> HTTPServerResponse? {
        switch page {
        case .health: return nil
        case .metrics where request.isOfThisHost: return nil
        case .metrics, .status, .versions, .versionsOf, .events, .command: break
        }
        guard let token = settings.apiToken else {
            return .error(403, "set DEPLOYEX_API_TOKEN or DEPLOYEX_API_TOKEN_FILE to use this")
        }
        let source = PeerSource(request.peer)
        let now = MonotonicTime.now
        if let wait = attempts.wait(source, at: now) {
            var response = HTTPServerResponse.error(429, "too many wrong tokens: wait")
            response.fields.append(
                HTTPField("Retry-After", "\(Int(wait.components.seconds) + 1)"))
            return response
        }
        guard let given = request.bearerToken else {
            return .unauthorized("a bearer token is needed")
        }
        guard SecretComparison.areEqual(Array(given.utf8), Array(token.utf8)) else {
            attempts.failed(source, at: now)
            return .unauthorized("the token is wrong")
        }
        return nil
    }

    // MARK: Answers

    private func answer(
        _ request: HTTPServerRequest, _ page: Page, _ parameters: [String]
    ) async -> HTTPServerResponse {
        switch page {
        case .health: return health(await backend.status())
        case .metrics:
            let text = Metrics.text(await backend.status(), process: processFigures())
            return HTTPServerResponse(
                200, fields: [HTTPField("Content-Type", Metrics.contentType), .noStore],
                content: .bytes(Array(text.utf8)))
        case .status: return .json(200, await backend.status().term)
        case .versions: return .json(200, await backend.versions(of: nil).term)
        case .versionsOf: return await versions(of: parameters[0])
        case .events: return events(request)
        case .command(let command):
            do throws(DashboardRefusal) {
                let action = try Self.action(command, parameters, request)
                let text = try await backend.perform(
                    action, of: parameters[0], by: "the API (\(PeerSource(request.peer)))")
                return .json(202, .object([("text", .binary(text))]))
            } catch {
                return .refused(error)
            }
        }
    }

    /// 200 while every instance that is not stopped on purpose runs as it should.
    private func health(_ report: StatusReport) -> HTTPServerResponse {
        let instances = report.applications.flatMap(\.instances)
        let wanted = instances.filter { $0.isStoppedByOperator != true }
        let running = wanted.filter { $0.status == "running" }
        let isHealthy = running.count == wanted.count
        return .json(
            isHealthy ? 200 : 503,
            .object([
                ("status", .binary(isHealthy ? "ok" : "degraded")),
                ("instances", .integer(wanted.count)), ("running", .integer(running.count)),
            ]))
    }

    private func versions(of application: String) async -> HTTPServerResponse {
        let report = await backend.versions(of: application)
        guard !report.applications.isEmpty else {
            return .error(404, "there is no application of this name")
        }
        return .json(200, report.term)
    }

    private static func action(
        _ command: Command, _ parameters: [String], _ request: HTTPServerRequest
    ) throws(DashboardRefusal) -> EngineCommand {
        switch command {
        case .restart: return .restart(try instance(parameters[1]))
        case .stop: return .stop(try instance(parameters[1]))
        case .start: return .start(try instance(parameters[1]))
        case .rollback: return .rollback
        case .deploy:
            let version = try version(in: request)
            return .deploy(version: version == "auto" ? nil : version)
        case .unghost: return .unghost(try version(in: request))
        }
    }

    private static func instance(_ text: String) throws(DashboardRefusal) -> InstanceNumber {
        guard let number = Int(text), let instance = InstanceNumber(rawValue: number) else {
            throw DashboardRefusal(.notFound, "there is no instance of this number")
        }
        return instance
    }

    /// `{"version": "1.2.3"}`
    private static func version(
        in request: HTTPServerRequest
    ) throws(DashboardRefusal) -> String {
        guard let value = try? JSONReader.value(request.content),
            let version = value["version"]?.text, (1...255).contains(version.utf8.count)
        else {
            throw DashboardRefusal(
                .malformed, "a JSON object with a \"version\" is expected as content")
        }
        return version
    }

    // MARK: Events

    private func events(_ request: HTTPServerRequest) -> HTTPServerResponse {
        guard streamCount < Self.streamLimit else {
            return .error(503, "too many event streams are open: try again")
        }
        let observer = "http:\(request.peer)"
        return HTTPServerResponse(
            200,
            fields: [
                HTTPField("Content-Type", "text/event-stream"), .noStore,
                // nginx would hold events back.
                HTTPField("X-Accel-Buffering", "no"),
            ],
            content: .stream { [self] writer in await stream(to: writer, observer) })
    }

    /// Sends the whole state at each change. A client that reads slowly skips the states between.
    private func stream(to writer: HTTPContentWriter, _ observer: String) async {
        streamCount += 1
        defer { streamCount -= 1 }
        guard await writer.write(Array("retry: 1000\n\n".utf8)) else { return }
        var seen = -1
        while !Task.isCancelled {
            let revision: Int
            do throws(DashboardRefusal) {
                revision = try await backend.change(
                    after: seen, by: observer, within: Self.keepAlive)
            } catch {
                return
            }
            let isSent =
                revision == seen
                ? await writer.write(Array(":\n\n".utf8))
                : await writer.write(
                    ServerSentEvent.bytes(
                        "status", id: revision, await backend.status().term.json))
            guard isSent else { return }
            seen = revision
        }
    }
}

/// One event of an event stream. Source: HTML standard, "Server-sent events".
enum ServerSentEvent {
    static func bytes(_ name: String, id: Int, _ data: String) -> [UInt8] {
        var text = "event: \(name)\nid: \(id)\n"
        for line in data.split(separator: "\n", omittingEmptySubsequences: false) {
            text += "data: \(line)\n"
        }
        return Array((text + "\n").utf8)
    }
}

extension HTTPField {
    static let noStore = HTTPField("Cache-Control", "no-store")
}

extension HTTPServerResponse {
    static func json(_ status: Int, _ term: Term) -> HTTPServerResponse {
        HTTPServerResponse(
            status, fields: [HTTPField("Content-Type", "application/json"), .noStore],
            content: .bytes(Array((term.json + "\n").utf8)))
    }

    static func error(_ status: Int, _ text: String) -> HTTPServerResponse {
        .json(status, .object([("error", .binary(text))]))
    }

    static func unauthorized(_ text: String) -> HTTPServerResponse {
        var response = error(401, text)
        response.fields.append(HTTPField("WWW-Authenticate", "Bearer"))
        return response
    }

    static func refused(_ refusal: DashboardRefusal) -> HTTPServerResponse {
        let status =
            switch refusal.kind {
            case .malformed: 400
            case .notFound: 404
            case .conflict: 409
            case .unavailable: 503
            }
        return error(status, refusal.text)
    }
}

extension HTTPServerRequest {
    /// Whether a program of this host asks, and not on behalf of another host.
    var isOfThisHost: Bool {
        peer.isLoopback && head.fields.values("forwarded").isEmpty
            && head.fields.values("x-forwarded-for").isEmpty
            && head.fields.values("x-real-ip").isEmpty && head.fields.values("via").isEmpty
    }

    /// `Authorization: Bearer TOKEN`. Source: RFC 6750, section 2.1.
    var bearerToken: String? {
        guard let value = field("authorization") else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}

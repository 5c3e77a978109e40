internal import Deployment
internal import ExternalTermFormat
internal import HTTP
internal import Supervisor
internal import Transport

/// The applications: `/api/v1/status`, `/api/v1/versions`, the commands, and the topics `status`
/// and `versions`.
struct DeploymentArea: DashboardArea {
    private let backend: any DeploymentBackend
    private let news: DeploymentNews
    private let restarts: RestartsInTurn

    /// - Parameter report: hears what happens after a command has been answered.
    init(
        _ backend: any DeploymentBackend, loop: EventLoop,
        report: @escaping @Sendable (DashboardReport) -> Void
    ) {
        self.backend = backend
        news = DeploymentNews(backend, loop: loop)
        restarts = RestartsInTurn(backend, loop: loop, report: report)
    }

    var routes: [Route] { showing + commands }

    func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? {
        switch name {
        case ["status"]: StatusTopic(backend: backend, news: news)
        case ["versions"]: VersionsTopic(backend: backend, news: news)
        default: nil
        }
    }

    // MARK: Routes

    private var showing: [Route] {
        [
            Route("GET", "/api/v1/status", .viewer) { _ in
                .json(200, await backend.status().term)
            },
            Route("GET", "/api/v1/versions", .viewer) { _ in
                .json(200, await backend.versions(of: nil).term)
            },
            Route("GET", "/api/v1/apps/:app/versions", .viewer) {
                (request) throws(DashboardRefusal) in
                let report = await backend.versions(of: request["app"])
                guard !report.applications.isEmpty else {
                    throw DashboardRefusal(.notFound, "there is no application of this name")
                }
                return .json(200, report.term)
            },
        ]
    }

    private var commands: [Route] {
        [
            instanceCommand("restart") { .restart($0) },
            instanceCommand("stop") { .stop($0) },
            instanceCommand("start") { .start($0) },
            command("deploy") { (request) throws(DashboardRefusal) in
                let version = try request.text("version")
                return .deploy(version: version == "auto" ? nil : version)
            },
            command("auto") { _ in .deploy(version: nil) },
            command("rollback") { _ in .rollback },
            Route("POST", "/api/v1/apps/:app/unghost", .administrator) {
                (request) throws(DashboardRefusal) in
                try await unghost(request)
            },
            Route("POST", "/api/v1/apps/:app/restart", .administrator) {
                (request) throws(DashboardRefusal) in
                .taken(
                    try await restarts.begin(
                        request["app"], by: request.visitor.description))
            },
        ]
    }

    private func instanceCommand(
        _ verb: String, _ command: @escaping @Sendable (InstanceNumber) -> EngineCommand
    ) -> Route {
        Route("POST", "/api/v1/apps/:app/instances/:instance/\(verb)", .administrator) {
            (request) throws(DashboardRefusal) in
            try await perform(command(try request.instance()), for: request)
        }
    }

    private func command(
        _ verb: String,
        _ command: @escaping @Sendable (RoutedRequest) throws(DashboardRefusal) -> EngineCommand
    ) -> Route {
        Route("POST", "/api/v1/apps/:app/\(verb)", .administrator) {
            (request) throws(DashboardRefusal) in
            try await perform(try command(request), for: request)
        }
    }

    private func perform(
        _ command: EngineCommand, for request: RoutedRequest
    ) async throws(DashboardRefusal) -> HTTPServerResponse {
        .taken(
            try await backend.perform(
                command, of: request["app"], by: request.visitor.description))
    }

    /// `{"version": "1.2.3"}` or `{"all": true}`
    private func unghost(
        _ request: RoutedRequest
    ) async throws(DashboardRefusal) -> HTTPServerResponse {
        guard try request.json()["all"] == .bool(true) else {
            return try await perform(.unghost(try request.text("version")), for: request)
        }
        let application = await backend.status().applications.first { $0.name == request["app"] }
        guard let application else {
            throw DashboardRefusal(.notFound, "there is no application of this name")
        }
        let versions = Set(application.ghosted.compactMap(\.version)).sorted()
        guard !versions.isEmpty else {
            throw DashboardRefusal(.conflict, "no version is ghosted")
        }
        var texts: [String] = []
        for version in versions {
            texts.append(
                try await backend.perform(
                    .unghost(version), of: request["app"], by: request.visitor.description))
        }
        return .taken(texts.joined(separator: "; "))
    }
}

extension HTTPServerResponse {
    /// A command has been taken on; this is what deployex says to it.
    fileprivate static func taken(_ text: String) -> HTTPServerResponse {
        .json(202, .object([("text", .binary(text))]))
    }
}

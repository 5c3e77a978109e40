internal import Deployment
internal import ExternalTermFormat
internal import HTTP
internal import Supervisor
internal import Transport

/// The remote shells of instances, each on a terminal of its own, and the topics `terminal/ID`.
///
/// A terminal belongs to the session that has opened it, and to nobody else.
struct TerminalArea: DashboardArea {
    private let terminals: Terminals

    /// - Parameter report: hears who has opened a terminal, and when it has ended.
    init(
        _ backend: any TerminalBackend, loop: EventLoop,
        limits: TerminalDesk<Visitor.Identity>.Limits = .init(),
        report: @escaping @Sendable (DashboardReport) -> Void
    ) {
        terminals = Terminals(backend, limits: limits, loop: loop, report: report)
    }

    var routes: [Route] {
        [
            Route("POST", "/api/v1/apps/:app/instances/:instance/terminals", .terminal) {
                (request) throws(DashboardRefusal) in try await open(request)
            },
            Route("POST", "/api/v1/terminals/:terminal/input", .administrator) {
                (request) throws(DashboardRefusal) in
                try await terminals.write(
                    request.http.content, to: request["terminal"], for: request.visitor)
                return .noContent
            },
            Route("POST", "/api/v1/terminals/:terminal/size", .administrator) {
                (request) throws(DashboardRefusal) in
                try await terminals.resize(
                    request["terminal"], Self.size(try request.json()), for: request.visitor)
                return .noContent
            },
            Route("DELETE", "/api/v1/terminals/:terminal", .administrator) {
                (request) throws(DashboardRefusal) in
                try await terminals.close(request["terminal"], for: request.visitor)
                return .noContent
            },
        ]
    }

    func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? {
        guard name.first == "terminal" else { return nil }
        guard name.count == 2 else { throw Terminals.unknown }
        return TerminalTopic(id: name[1], visitor: visitor, terminals: terminals)
    }

    func sessionEnded(_ session: SessionID) async {
        await terminals.end(of: .session(session))
    }

    private func open(_ request: RoutedRequest) async throws(DashboardRefusal) -> HTTPServerResponse
    {
        let id = try await terminals.open(
            try request.instance(), of: request["app"], size: Self.size(try request.json()),
            for: request.visitor)
        return .json(201, .object([("terminal", .binary(id))]))
    }

    /// `{"columns": 80, "rows": 24}`
    private static func size(_ json: JSONValue) throws(DashboardRefusal) -> TerminalSession.Size {
        guard case .number(let width)? = json["columns"], case .number(let height)? = json["rows"],
            let columns = Int(width), let rows = Int(height),
            let size = TerminalSession.Size(columns: columns, rows: rows)
        else {
            throw DashboardRefusal(
                .malformed, "\"columns\" and \"rows\" are numbers from 1 to 1000")
        }
        return size
    }
}

/// The topic `terminal/ID`: what the program writes, and its end.
struct TerminalTopic: EventTopicSource {
    let kind = "terminal"
    let id: String
    let visitor: Visitor
    let terminals: Terminals

    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews {
        let place = cursor.flatMap { TerminalPlace($0) }
        guard (cursor == nil) == (place == nil) else {
            throw DashboardRefusal(.malformed, "the cursor is of another topic")
        }
        return try await terminals.next(of: id, after: place, for: visitor)
    }
}

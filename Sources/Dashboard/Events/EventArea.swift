internal import Deployment
internal import HTTP

/// The event streams: one for each client, about the topics of all areas.
struct EventArea: DashboardArea {
    let hub: EventHub
    /// The areas whose topics there are.
    let areas: [any DashboardArea]

    /// The longest cursor that a client may name: a place in each of
    /// ``LogCursor/maximumCount`` logs.
    private static let cursorByteCount = 4 << 10

    var routes: [Route] {
        [
            Route("GET", "/api/v1/events", .viewer) { (request) throws(DashboardRefusal) in
                try await open(request)
            },
            Route("PUT", "/api/v1/events/:stream/topics", .viewer) {
                (request) throws(DashboardRefusal) in
                try await hub.replaceTopics(
                    of: request["stream"], by: try topics(in: request), for: request.visitor)
                return .noContent
            },
        ]
    }

    func sessionEnded(_ session: SessionID) async { await hub.end(session) }

    private func open(_ request: RoutedRequest) async throws(DashboardRefusal) -> HTTPServerResponse
    {
        let names = try (request.query()["topics"] ?? "status").split(separator: ",")
        // Only the topic of a stream's only topic's events can be resumed by their id.
        let cursor = names.count == 1 ? request.http.field("last-event-id") : nil
        let subscriptions = try subscriptions(
            names.map { (String($0), cursor) }, of: request.visitor)
        try await hub.admit(request.visitor, topicCount: subscriptions.count)
        return HTTPServerResponse(
            200,
            fields: [
                HTTPField("Content-Type", "text/event-stream"), .noStore,
                // nginx would hold events back.
                HTTPField("X-Accel-Buffering", "no"),
            ],
            content: .stream { [visitor = request.visitor] writer in
                await hub.serve(
                    subscriptions, to: EventOutput(writer), of: visitor,
                    hasIDs: subscriptions.count == 1)
            })
    }

    /// `{"topics": {"status": null, "log/counter/1/stdout": "CURSOR"}}`
    private func topics(
        in request: RoutedRequest
    ) throws(DashboardRefusal) -> [EventStream.Subscription] {
        guard case .object(let members)? = try request.json()["topics"] else {
            throw DashboardRefusal(
                .malformed, "a JSON object with an object \"topics\" is expected as content")
        }
        var topics: [(String, String?)] = []
        for member in members {
            switch member.value {
            case .null: topics.append((member.key, nil))
            case .string(let cursor): topics.append((member.key, cursor))
            default: throw DashboardRefusal(.malformed, "a topic's cursor is text or null")
            }
        }
        return try subscriptions(topics, of: request.visitor)
    }

    private func subscriptions(
        _ topics: [(name: String, cursor: String?)], of visitor: Visitor
    ) throws(DashboardRefusal) -> [EventStream.Subscription] {
        guard topics.count <= hub.limits.topicCount else {
            throw DashboardRefusal(
                .malformed, "a stream has at most \(hub.limits.topicCount) topics")
        }
        guard Set(topics.map(\.name)).count == topics.count else {
            throw DashboardRefusal(.malformed, "a topic is named twice")
        }
        var subscriptions: [EventStream.Subscription] = []
        for (name, cursor) in topics {
            if let cursor {
                guard cursor.utf8.count <= Self.cursorByteCount else {
                    throw DashboardRefusal(.malformed, "a cursor is too long")
                }
            }
            subscriptions.append(
                .init(name: name, source: try source(of: name, for: visitor), cursor: cursor))
        }
        return subscriptions
    }

    private func source(
        of name: String, for visitor: Visitor
    ) throws(DashboardRefusal) -> any EventTopicSource {
        let segments = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        for area in areas {
            if let source = try area.topic(segments, for: visitor) { return source }
        }
        throw DashboardRefusal(.notFound, "there is no such topic")
    }
}

internal import Deployment
internal import HTTP

/// The host: `GET /api/v1/host` and the topic `host`.
package struct HostArea: DashboardArea {
    private let backend: any HostBackend

    package init(_ backend: any HostBackend) {
        self.backend = backend
    }

    package var routes: [Route] {
        [
            Route("GET", "/api/v1/host", .viewer) { _ in
                .json(200, await backend.host().term)
            }
        ]
    }

    package func topic(
        _ name: [String], for visitor: Visitor
    ) throws(DashboardRefusal) -> (any EventTopicSource)? {
        name == ["host"] ? HostTopic(backend: backend) : nil
    }
}

/// The topic `host`: every two seconds.
private struct HostTopic: EventTopicSource {
    let kind = "host"
    let backend: any HostBackend
    /// Each waits on its own.
    private let observer = ObservationFeed.pagePrefix + RandomToken.hexadecimal(byteCount: 8)

    init(backend: any HostBackend) {
        self.backend = backend
    }

    /// The cursor is a revision. One of another run of deployex only makes it wait for the next
    /// figures, or not wait.
    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews {
        let seen = cursor.flatMap { Int($0) } ?? -1
        var revision: Int
        repeat {
            revision = try await backend.hostChange(
                after: seen, by: observer, within: .seconds(60))
        } while revision == seen && !Task.isCancelled
        return TopicNews(cursor: "\(revision)", await backend.host().term)
    }
}

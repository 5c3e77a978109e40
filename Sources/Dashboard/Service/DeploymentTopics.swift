internal import Deployment
internal import Transport

/// The topic `status`: the whole status, whenever something in it changes.
struct StatusTopic: EventTopicSource {
    let kind = "status"
    let backend: any DeploymentBackend
    let news: DeploymentNews
    /// Each waits on its own.
    private let observer = ObservationFeed.pagePrefix + RandomToken.hexadecimal(byteCount: 8)

    init(backend: any DeploymentBackend, news: DeploymentNews) {
        self.backend = backend
        self.news = news
    }

    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews {
        let seen = cursor.flatMap(news.revision) ?? -1
        var revision: Int
        repeat {
            revision = try await backend.change(
                after: seen, by: observer, within: DeploymentNews.longestWait)
        } while revision == seen && !Task.isCancelled
        return TopicNews(
            cursor: news.cursor(of: revision), json: await news.status(at: revision))
    }
}

/// The topic `versions`: the whole history, whenever it changes.
struct VersionsTopic: EventTopicSource {
    let kind = "versions"
    let backend: any DeploymentBackend
    let news: DeploymentNews
    private let observer = ObservationFeed.pagePrefix + RandomToken.hexadecimal(byteCount: 8)

    init(backend: any DeploymentBackend, news: DeploymentNews) {
        self.backend = backend
        self.news = news
    }

    /// The cursor is made from the content: most changes of the state do not change the history.
    func next(after cursor: String?) async throws(DashboardRefusal) -> TopicNews {
        var seen = -1
        while true {
            let revision = try await backend.change(
                after: seen, by: observer, within: DeploymentNews.longestWait)
            if revision != seen || Task.isCancelled {
                let found = await news.versions(at: revision)
                if found.cursor != cursor || Task.isCancelled { return found }
            }
            seen = revision
        }
    }
}

/// The texts of the status and of the versions, made once for all streams that want them.
actor DeploymentNews {
    private struct Made {
        var revision: Int
        var time: MonotonicTime
        var news: TopicNews
    }

    private nonisolated let loop: EventLoop
    private let backend: any DeploymentBackend
    /// Revisions of another run of deployex mean nothing.
    private nonisolated let run = RandomToken.hexadecimal(byteCount: 4)
    private var status: Made?
    private var versions: Made?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    static let longestWait: Duration = .seconds(60)
    /// The uptimes in the status go on.
    private static let statusAge: Duration = .seconds(1)

    init(_ backend: any DeploymentBackend, loop: EventLoop) {
        self.backend = backend
        self.loop = loop
    }

    nonisolated func cursor(of revision: Int) -> String { "\(run).\(revision)" }

    /// The revision that a cursor stands for; `nil` if it is not one of this run.
    nonisolated func revision(_ cursor: String) -> Int? {
        guard cursor.hasPrefix(run + ".") else { return nil }
        return Int(cursor.dropFirst(run.count + 1))
    }

    /// The status as a JSON object, when it has reached this revision.
    func status(at revision: Int) async -> String {
        let now = MonotonicTime.now
        if let status, status.revision == revision, now - status.time < Self.statusAge {
            return status.news.content
        }
        let news = TopicNews(cursor: "", await backend.status().term)
        status = Made(revision: revision, time: now, news: news)
        return news.content
    }

    /// The versions, when the state has reached this revision.
    func versions(at revision: Int) async -> TopicNews {
        if let versions, versions.revision == revision { return versions.news }
        let json = await backend.versions(of: nil).term.compactJSON
        let news = TopicNews(
            cursor: Digest.text(Digest.sha256(Array(json.utf8)).prefix(8)), json: json)
        versions = Made(revision: revision, time: .now, news: news)
        return news
    }
}

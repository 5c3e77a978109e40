internal import Transport

/// Keeps all event streams: who has which, and how many there are.
actor EventHub {
    struct Limits: Equatable, Sendable {
        /// Streams at a time.
        var count = 200
        /// Streams of one session at a time.
        var countOfSession = 16
        /// Topics of one stream.
        var topicCount = 64
        /// Topics of all streams of one session together.
        var topicCountOfSession = 256
        /// Topics of all streams.
        var topicCountInAll = 2048
        /// How long a stream says nothing at most.
        var keepAlive: Duration = .seconds(15)
    }

    private struct Open {
        var stream: EventStream
        /// How many topics it has been given.
        var topicCount: Int
        var owner: Visitor.Identity { stream.owner.identity }
    }

    nonisolated let limits: Limits
    private nonisolated let loop: EventLoop
    private var streams: [String: Open] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
    }

    /// How many streams are open.
    var count: Int { streams.count }

    /// - Parameter topicCount: how many topics it is to have.
    /// - Throws: a refusal if the visitor may not have another stream now.
    func admit(_ visitor: Visitor, topicCount: Int) throws(DashboardRefusal) {
        let isFull =
            if case .session = visitor.identity {
                streams.values.count { $0.owner == visitor.identity }
                    >= limits.countOfSession
            } else {
                false
            }
        guard !isFull, streams.count < limits.count else {
            throw DashboardRefusal(.unavailable, "too many event streams are open: try again")
        }
        try admit(topicCount, of: visitor)
    }

    /// - Parameter id: the stream whose topics they replace.
    private func admit(
        _ topicCount: Int, of visitor: Visitor, replacing id: String? = nil
    ) throws(DashboardRefusal) {
        var (ofSession, inAll) = (topicCount, topicCount)
        for (other, open) in streams where other != id {
            inAll += open.topicCount
            if case .session = visitor.identity, open.owner == visitor.identity {
                ofSession += open.topicCount
            }
        }
        guard ofSession <= limits.topicCountOfSession, inAll <= limits.topicCountInAll else {
            throw DashboardRefusal(.unavailable, "too many topics are followed: try again")
        }
    }

    /// Serves one stream until it ends.
    func serve(
        _ subscriptions: [EventStream.Subscription], to output: EventOutput,
        of visitor: Visitor, hasIDs: Bool
    ) async {
        // Others may have come since the answer's head was made.
        do throws(DashboardRefusal) {
            try admit(visitor, topicCount: subscriptions.count)
        } catch {
            return
        }
        let stream = EventStream(
            to: output, of: visitor, hasIDs: hasIDs, keepAlive: limits.keepAlive, loop: loop)
        streams[stream.id] = Open(stream: stream, topicCount: subscriptions.count)
        await stream.run(subscriptions)
        streams[stream.id] = nil
    }

    /// Replaces the topics of a stream of this visitor.
    func replaceTopics(
        of id: String, by subscriptions: [EventStream.Subscription], for visitor: Visitor
    ) async throws(DashboardRefusal) {
        guard let stream = streams[id]?.stream, stream.owner.identity == visitor.identity else {
            throw DashboardRefusal(.notFound, "there is no such event stream")
        }
        try admit(subscriptions.count, of: visitor, replacing: id)
        streams[id]?.topicCount = subscriptions.count
        await stream.replace(subscriptions)
    }

    /// The sessions that have a stream.
    var sessions: Set<SessionID> {
        Set(
            streams.values.compactMap {
                if case .session(let id) = $0.owner { id } else { nil }
            })
    }

    /// Ends all streams of a session.
    func end(_ session: SessionID) async {
        for open in streams.values where open.owner == .session(session) {
            await open.stream.end()
        }
    }
}

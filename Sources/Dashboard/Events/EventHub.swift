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
        /// How long a stream says nothing at most.
        var keepAlive: Duration = .seconds(15)
    }

    nonisolated let limits: Limits
    private nonisolated let loop: EventLoop
    private var streams: [String: EventStream] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
    }

    /// How many streams are open.
    var count: Int { streams.count }

    /// - Throws: a refusal if the visitor may not have another stream now.
    func admit(_ visitor: Visitor) throws(DashboardRefusal) {
        let isFull =
            if case .session = visitor.identity {
                streams.values.count { $0.owner.identity == visitor.identity }
                    >= limits.countOfSession
            } else {
                false
            }
        guard !isFull, streams.count < limits.count else {
            throw DashboardRefusal(.unavailable, "too many event streams are open: try again")
        }
    }

    /// Serves one stream until it ends.
    func serve(
        _ subscriptions: [EventStream.Subscription], to output: EventOutput,
        of visitor: Visitor, hasIDs: Bool
    ) async {
        // Others may have come since the answer's head was made.
        do throws(DashboardRefusal) { try admit(visitor) } catch { return }
        let stream = EventStream(
            to: output, of: visitor, hasIDs: hasIDs, keepAlive: limits.keepAlive, loop: loop)
        streams[stream.id] = stream
        await stream.run(subscriptions)
        streams[stream.id] = nil
    }

    /// Replaces the topics of a stream of this visitor.
    func replaceTopics(
        of id: String, by subscriptions: [EventStream.Subscription], for visitor: Visitor
    ) async throws(DashboardRefusal) {
        guard let stream = streams[id], stream.owner.identity == visitor.identity else {
            throw DashboardRefusal(.notFound, "there is no such event stream")
        }
        await stream.replace(subscriptions)
    }

    /// The sessions that have a stream.
    var sessions: Set<SessionID> {
        Set(
            streams.values.compactMap {
                if case .session(let id) = $0.owner.identity { id } else { nil }
            })
    }

    /// Ends all streams of a session.
    func end(_ session: SessionID) async {
        for stream in streams.values where stream.owner.identity == .session(session) {
            await stream.end()
        }
    }
}

internal import Deployment
internal import ExternalTermFormat
internal import HTTP
internal import Transport

/// Where an event stream is written.
struct EventOutput: Sendable {
    /// Returns when so much has left that more may be written; `false` when the client has gone.
    let write: @Sendable ([UInt8]) async -> Bool
    /// Ends it at once.
    let close: @Sendable () async -> Void
}

extension EventOutput {
    init(_ writer: HTTPContentWriter) {
        write = { await writer.write($0) }
        close = { await writer.close() }
    }
}

/// One client's event stream: topics that it follows, each by a task of its own, and one writer.
actor EventStream {
    /// A topic that is to be followed.
    struct Subscription: Sendable {
        var name: String
        var source: any EventTopicSource
        /// What the client has seen of it.
        var cursor: String?
    }

    /// A topic that is being followed.
    private struct Followed {
        var task: Task<Void, Never>
        /// The last cursors that the client has been sent, the newest last.
        var cursors: [String]
    }

    /// Names the stream to its owner: 128 random bits.
    nonisolated let id = RandomToken.hexadecimal()
    nonisolated let owner: Visitor
    private nonisolated let loop: EventLoop
    private let output: EventOutput
    private let keepAlive: Duration
    private var followed: [String: Followed] = [:]
    /// Whether events have ids, which only makes sense while there is one topic.
    private var hasIDs: Bool
    private var isEnded = false
    private var isWriting = false
    private var hasWritten = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var clock: Task<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// So many sent cursors are remembered of a topic.
    private static let cursorCount = 64

    init(
        to output: EventOutput, of owner: Visitor, hasIDs: Bool, keepAlive: Duration,
        loop: EventLoop
    ) {
        self.output = output
        self.owner = owner
        self.hasIDs = hasIDs
        self.keepAlive = keepAlive
        self.loop = loop
    }

    /// Sends events until the client has gone or ``end()`` is called.
    func run(_ subscriptions: [Subscription]) async {
        let id = Term.object([("stream", .binary(id))]).compactJSON
        guard await write(ServerSentEvent.retry + ServerSentEvent.bytes("stream", id)) else {
            return
        }
        follow(subscriptions)
        let clock = Task(executorPreference: loop) { await self.sendComments() }
        self.clock = clock
        if isEnded { clock.cancel() }
        await withTaskCancellationHandler {
            await clock.value
        } onCancel: {
            clock.cancel()
        }
        await end()
    }

    /// Says something from time to time: nginx gives up after a minute of silence.
    private func sendComments() async {
        while !isEnded, !Task.isCancelled {
            await loop.sleep(for: keepAlive)
            defer { hasWritten = false }
            guard !hasWritten, !isWriting, !isEnded, !Task.isCancelled else { continue }
            await write(ServerSentEvent.comment)
        }
    }

    /// Ends the stream, at once if the client does not take what it was sent.
    func end() async {
        guard !isEnded else { return }
        isEnded = true
        clock?.cancel()
        for topic in followed.values { topic.task.cancel() }
        followed = [:]
        wake()
        if isWriting { await output.close() }
    }

    // MARK: Topics

    /// Replaces the topics by others. One that is followed already goes on if its cursor is one
    /// that the client was sent: what comes after it is on the way.
    func replace(_ subscriptions: [Subscription]) {
        hasIDs = false
        follow(subscriptions)
    }

    private func follow(_ subscriptions: [Subscription]) {
        guard !isEnded else { return }
        var before = followed
        followed = [:]
        for subscription in subscriptions {
            let name = subscription.name
            if let cursor = subscription.cursor, let topic = before[name],
                topic.cursors.contains(cursor)
            {
                followed[name] = topic
                before[name] = nil
                continue
            }
            let task = Task(executorPreference: loop) { await self.follow(subscription) }
            followed[name] = Followed(task: task, cursors: subscription.cursor.map { [$0] } ?? [])
        }
        for topic in before.values { topic.task.cancel() }
    }

    private func follow(_ subscription: Subscription) async {
        let (name, source) = (subscription.name, subscription.source)
        var cursor = subscription.cursor
        while true {
            await turn()
            guard !Task.isCancelled, !isEnded else { return }
            let news: TopicNews
            do throws(DashboardRefusal) {
                news = try await source.next(after: cursor)
            } catch {
                return await sendEnd(of: name, error)
            }
            guard !Task.isCancelled, !isEnded else { return }
            // Later it would be out of date, and what waits would have no bound.
            if isWriting { continue }
            cursor = news.cursor
            followed[name]?.cursors.append(news.cursor)
            if let count = followed[name]?.cursors.count, count > Self.cursorCount {
                followed[name]?.cursors.removeFirst()
            }
            let event = ServerSentEvent.bytes(
                source.kind, id: hasIDs ? news.cursor : nil, news.data(of: name))
            guard await write(event) else { return }
        }
    }

    /// Says that nothing more comes of a topic.
    private func sendEnd(of name: String, _ refusal: DashboardRefusal) async {
        await turn()
        guard !Task.isCancelled, !isEnded else { return }
        followed[name] = nil
        let data = Term.object([
            ("topic", .binary(name)), ("error", .binary(refusal.text)),
            ("status", .integer(refusal.status)),
        ])
        await write(ServerSentEvent.bytes("ended", data.compactJSON))
    }

    // MARK: Writing

    /// Returns when nobody writes.
    private func turn() async {
        while isWriting, !isEnded {
            await withCheckedContinuation {
                if isWriting, !isEnded { waiters.append($0) } else { $0.resume() }
            }
        }
    }

    /// - Returns: `false` when the client has gone.
    @discardableResult
    private func write(_ bytes: [UInt8]) async -> Bool {
        isWriting = true
        let isSent = await output.write(bytes)
        isWriting = false
        hasWritten = true
        wake()
        if !isSent { await end() }
        return isSent
    }

    private func wake() {
        let woken = waiters
        waiters = []
        for waiter in woken { waiter.resume() }
    }
}

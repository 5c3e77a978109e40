package import ErlDist
internal import Glibc
package import HTTP
package import Transport

/// Sends events to one receiver, one after the other. Whoever posts one never waits.
package actor NotificationSender {
    private nonisolated let loop: EventLoop
    private var sink: NotificationSink
    private let client: any HTTPSending
    private let log: @Sendable (LogLevel, String) -> Void
    private let deadline: Duration
    private let pauseScale: Double
    private var queue = NotificationQueue()
    private var work: Task<Void, Never>?
    private var hasFailed = false
    private var isStopped = false

    /// A receiver may answer with a page.
    private static let contentLimit = 1 << 20

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - deadline: for each attempt.
    ///   - pauseScale: less than 1 in tests.
    package init(
        _ sink: NotificationSink, client: any HTTPSending, loop: EventLoop,
        deadline: Duration = .seconds(15), pauseScale: Double = 1,
        log: @escaping @Sendable (LogLevel, String) -> Void
    ) {
        self.sink = sink
        self.client = client
        self.loop = loop
        self.deadline = deadline
        self.pauseScale = pauseScale
        self.log = log
    }

    /// How many wait, and how many were given up.
    package var counts: (waiting: Int, dropped: Int) { (queue.count, queue.droppedCount) }

    package func post(_ event: NotificationEvent) {
        guard !isStopped else { return }
        if let dropped = queue.add(event, now: .now) {
            let count = queue.droppedCount
            // A full queue loses one for each that comes.
            if count & (count - 1) == 0 {
                lost(dropped, "too many wait, \(count) given up so far")
            }
        }
        guard work == nil else { return }
        work = Task(executorPreference: loop) { await self.run() }
    }

    /// Sends to this receiver from now on, also what waits.
    package func take(_ sink: NotificationSink) {
        self.sink = sink
    }

    /// What waits is lost.
    package func stop() {
        isStopped = true
        work?.cancel()
        work = nil
    }

    private func run() async {
        while !isStopped {
            switch queue.next(now: .now) {
            case .idle:
                work = nil
                return
            case .wait(let end): await loop.sleep(for: end - .now)
            case .send(let event): await send(event)
            }
        }
    }

    private func send(_ event: NotificationEvent) async {
        guard let request = sink.request(event, at: Int64(time(nil))) else {
            return queue.ended(isDelivered: true)
        }
        do throws(HTTPError) {
            let answer = try await client.send(
                request, within: deadline, contentLimit: Self.contentLimit)
            guard !isStopped else { return }
            took(event, answer)
        } catch {
            guard !isStopped else { return }
            again(event, error.reason, least: nil)
        }
    }

    private func took(_ event: NotificationEvent, _ answer: HTTPAnswer) {
        switch answer.status {
        case 200...299:
            queue.ended(isDelivered: true)
            if hasFailed { log(.info, "Notifications: \(sink) takes events again") }
            hasFailed = false
        case 408, 425, 429, 500...599:
            let seconds = answer.fields.values("retry-after").first.flatMap { Int($0) }
            again(
                event, "status \(answer.status)",
                least: seconds.map { .seconds(min(max($0, 0), 3_600)) })
        default:
            queue.ended(isDelivered: false)
            lost(event, "it answered with status \(answer.status)")
        }
    }

    private func again(_ event: NotificationEvent, _ reason: String, least: Duration?) {
        let jitter = Double.random(in: 0.5...1) * pauseScale
        if let old = queue.failed(now: .now, jitter: jitter, least: least) {
            return lost(old, "it could not be told for hours")
        }
        guard !hasFailed else { return }
        hasFailed = true
        log(
            .warning,
            "Notifications: \(sink): \(event.kind.rawValue) is tried again: \(SafeText.line(reason))"
        )
    }

    private func lost(_ event: NotificationEvent, _ reason: String) {
        log(.warning, "Notifications: \(sink): \(event.kind.rawValue) is lost: \(reason)")
    }
}

extension HTTPError {
    /// Without the attempt, whose address may be a secret.
    var reason: String {
        switch self {
        case .unusable(_, let reason), .unreachable(_, let reason): reason
        case .timedOut(_, let after): "no response within \(after)"
        case .stalled(_, let after): "the receiver sent nothing for \(after)"
        case .badResponse(_, let error): "\(error)"
        case .notWritten(_, let error): "\(error)"
        case .stopped: "stopped"
        }
    }
}

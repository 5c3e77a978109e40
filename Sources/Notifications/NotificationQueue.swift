package import Transport

/// What one receiver is still to get, in order. It does no I/O and reads no clock.
package struct NotificationQueue: Equatable, Sendable {
    package static let maximumCount = 256
    package static let maximumPause = Duration.seconds(300)
    /// What is older is news to nobody.
    package static let maximumAge = Duration.seconds(6 * 3_600)

    package enum Action: Equatable, Sendable {
        case send(NotificationEvent)
        case wait(until: MonotonicTime)
        case idle
    }

    private struct Entry: Equatable {
        var event: NotificationEvent
        var begin: MonotonicTime
    }

    private var entries: [Entry] = []
    private var failureCount = 0
    private var pauseEnd: MonotonicTime?
    private var isSending = false
    /// How many were given up since the beginning.
    package private(set) var droppedCount = 0

    package init() {}

    package var count: Int { entries.count }

    /// - Returns: the event that had to make room.
    package mutating func add(
        _ event: NotificationEvent, now: MonotonicTime
    ) -> NotificationEvent? {
        entries.append(Entry(event: event, begin: now))
        guard entries.count > Self.maximumCount else { return nil }
        droppedCount += 1
        // The one that is being sent is on its way.
        return entries.remove(at: isSending ? 1 : 0).event
    }

    package mutating func next(now: MonotonicTime) -> Action {
        guard let first = entries.first else { return .idle }
        if let pauseEnd, now < pauseEnd { return .wait(until: pauseEnd) }
        isSending = true
        return .send(first.event)
    }

    /// The event that was sent has arrived, or never will.
    package mutating func ended(isDelivered: Bool) {
        entries.removeFirst()
        (isSending, failureCount, pauseEnd) = (false, 0, nil)
        if !isDelivered { droppedCount += 1 }
    }

    /// It has not arrived this time.
    /// - Parameters:
    ///   - jitter: 0.5 to 1.
    ///   - least: how long the receiver asks for.
    /// - Returns: the event, if it is too old to be tried again.
    package mutating func failed(
        now: MonotonicTime, jitter: Double, least: Duration? = nil
    ) -> NotificationEvent? {
        isSending = false
        if let first = entries.first, now - first.begin > Self.maximumAge {
            ended(isDelivered: false)
            return first.event
        }
        failureCount += 1
        let pause = Duration.seconds(Double(1 << min(failureCount - 1, 9)) * jitter)
        pauseEnd = now + min(max(pause, least ?? .zero), Self.maximumPause)
        return nil
    }
}

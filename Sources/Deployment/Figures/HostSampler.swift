package import Transport

/// Looks at this host while somebody observes ``ObservationTopic/host``, and once when somebody
/// asks. Nothing is looked at otherwise.
package actor HostSampler {
    package nonisolated let loop: EventLoop
    private let feed: ObservationFeed
    private let look: @Sendable () -> HostLook
    private var last: (look: HostLook, time: MonotonicTime)?
    private var timer: LoopTimer?
    private var isLooking = false
    private var lastWanted = MonotonicTime.now
    private var figures: HostFigures?

    /// The time between two looks.
    private let interval: Duration
    /// How long an observer may take between two calls.
    private let patience: Duration
    /// The time between the two looks of somebody who asks once.
    private static let glance: Duration = .milliseconds(200)

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameter look: takes a look; it may block.
    package init(
        feed: ObservationFeed, interval: Duration = .seconds(2),
        patience: Duration = .seconds(10), look: @escaping @Sendable () -> HostLook
    ) {
        self.feed = feed
        self.interval = interval
        self.patience = patience
        self.look = look
        loop = feed.loop
    }

    /// Whether it looks again and again at the moment.
    package var isMeasuring: Bool { timer != nil || isLooking }

    /// Somebody observes. It looks at once if it has not been looking, and again and again as long
    /// as somebody does.
    package func begin() async {
        lastWanted = .now
        if !isMeasuring { await measure() }
    }

    /// What is known, not older than twice the interval.
    package func current() async -> HostFigures? {
        if let last, figures?.processorPercent != nil, MonotonicTime.now - last.time < interval * 2
        {
            return figures
        }
        await see()
        if figures?.processorPercent == nil {
            await loop.sleep(for: Self.glance)
            await see()
        }
        return figures
    }

    private func measure() async {
        timer = nil
        isLooking = true
        await see()
        isLooking = false
        await feed.publish(.host)
        timer = loop.schedule(after: interval) { self.assumeIsolated { $0.timePassed() } }
    }

    private func see() async {
        let look = look
        let found = await offload { look() }
        let now = MonotonicTime.now
        // Of a longer time the average would say little.
        let earlier = last.flatMap { now - $0.time < patience ? $0.look : nil }
        figures = found.figures(since: earlier)
        last = (found, now)
    }

    private func timePassed() {
        Task {
            if await feed.isObserved(.host) { lastWanted = .now }
            guard MonotonicTime.now - lastWanted < patience else {
                timer = nil
                return
            }
            await measure()
        }
    }
}

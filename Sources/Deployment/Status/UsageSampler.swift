package import Supervisor
package import Transport

/// Measures what the instances use, while somebody watches ``ObservationTopic/usage``. Nothing is
/// measured otherwise.
package actor UsageSampler {
    package nonisolated let loop: EventLoop
    private let feed: ObservationFeed
    private let applications: [String]
    private var meter = UsageMeter.ofHost()
    private var timer: LoopTimer?
    private var isLooking = false
    private var lastWanted = MonotonicTime.now
    /// What was measured last.
    package private(set) var usage: [InstanceName: InstanceUsage] = [:]

    /// The time between two measurements.
    private let interval: Duration
    /// How long a watcher may take between two calls.
    private let patience: Duration

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(
        of applications: [String], feed: ObservationFeed, interval: Duration = .seconds(2),
        patience: Duration = .seconds(10)
    ) {
        self.applications = applications
        self.interval = interval
        self.patience = patience
        self.feed = feed
        loop = feed.loop
    }

    /// Whether it measures at the moment.
    package var isMeasuring: Bool { timer != nil || isLooking }

    /// Somebody watches. It measures at once if it has not been measuring, and again and again as
    /// long as somebody does.
    package func begin() async {
        lastWanted = .now
        if !isMeasuring { await look() }
    }

    private func look() async {
        timer = nil
        isLooking = true
        var leaders: [InstanceName: ProcessIdentity] = [:]
        for application in applications {
            for instance in await feed.snapshot(of: application)?.instances ?? [] {
                leaders[InstanceName(app: application, number: instance.number)] =
                    instance.identity
            }
        }
        let (meter, wanted) = (meter, leaders)
        let result = await offload {
            var meter = meter
            let found = meter.look(wanted, at: Double(MonotonicTime.now.nanoseconds) / 1e9)
            return (meter, found)
        }
        self.meter = result.0
        // Before anything else happens: whoever begins now must not begin a second time.
        timer = loop.schedule(after: interval) { self.assumeIsolated { $0.timePassed() } }
        isLooking = false
        if usage != result.1 {
            usage = result.1
            await feed.publish(.usage)
        }
    }

    private func timePassed() {
        Task {
            guard await isWanted() else { return stop() }
            await look()
        }
    }

    private func isWanted() async -> Bool {
        if await feed.isObserved(.usage) { lastWanted = .now }
        return MonotonicTime.now - lastWanted < patience
    }

    /// The next watcher begins anew.
    private func stop() {
        timer = nil
        usage = [:]
        meter = .ofHost()
    }
}

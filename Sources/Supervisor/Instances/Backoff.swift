/// How long to wait before restarting a crashed instance: 1 s, doubling to 60 s.
package struct Backoff: Equatable, Sendable {
    /// The wait after the first crash.
    package var first: Duration
    /// The longest wait.
    package var maximum: Duration
    /// A crash after a healthy run of this length counts as the first one again.
    package var healthyAfter: Duration

    package init(
        first: Duration = .seconds(1), maximum: Duration = .seconds(60),
        healthyAfter: Duration = .seconds(30)
    ) {
        self.first = first
        self.maximum = maximum
        self.healthyAfter = healthyAfter
    }

    /// The wait after the `count`-th crash in a row, counted from 1; never more than ``maximum``.
    package func delay(consecutiveCrashes count: Int) -> Duration {
        var delay = max(first, .zero)
        var step = 1
        // Doubling stops at the maximum, so that no count, however high, overflows.
        while step < count && delay > .zero && delay < maximum {
            delay *= 2
            step += 1
        }
        return min(delay, maximum)
    }
}

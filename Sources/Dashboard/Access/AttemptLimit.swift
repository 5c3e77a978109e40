package import Transport

/// Limits how often somebody may guess: for each source, and for all together. It reads no clock.
package struct AttemptLimit: Equatable, Sendable {
    package struct Limits: Equatable, Sendable {
        /// Failures of one source within ``period``. Default: 10.
        package var countOfSource = 10
        /// Failures of all sources within ``period``. Default: 100.
        package var count = 100
        /// Default: one minute.
        package var period: Duration = .seconds(60)
        /// Sources that are remembered. Default: 1,024.
        package var sourceCount = 1_024

        package init() {}
    }

    private struct Failures: Equatable {
        var count: Int
        var end: MonotonicTime
    }

    private let limits: Limits
    private var all = Failures(count: 0, end: MonotonicTime(nanoseconds: .min))
    private var ofSource: [PeerSource: Failures] = [:]

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// How long the source has to wait; `nil` if it may try.
    package func wait(_ source: PeerSource, at now: MonotonicTime) -> Duration? {
        // This host's users have their own limit: strangers do not keep them out.
        if !source.isLoopback, all.end > now, all.count >= limits.count { return all.end - now }
        guard let failures = ofSource[source], failures.end > now,
            failures.count >= limits.countOfSource
        else { return nil }
        return failures.end - now
    }

    /// A try of the source has failed.
    package mutating func failed(_ source: PeerSource, at now: MonotonicTime) {
        Self.count(&all, limits.period, now)
        var failures =
            ofSource[source] ?? Failures(count: 0, end: MonotonicTime(nanoseconds: .min))
        Self.count(&failures, limits.period, now)
        ofSource[source] = failures
        guard ofSource.count > limits.sourceCount else { return }
        ofSource = ofSource.filter { $0.value.end > now }
        // All of them are recent: those who failed least are forgotten.
        guard ofSource.count > limits.sourceCount else { return }
        let kept = ofSource.sorted { $0.value.count > $1.value.count }
            .prefix(limits.sourceCount / 2)
        ofSource = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    private static func count(
        _ failures: inout Failures, _ period: Duration, _ now: MonotonicTime
    ) {
        if failures.end <= now { failures = Failures(count: 0, end: now + period) }
        failures.count += 1
    }
}

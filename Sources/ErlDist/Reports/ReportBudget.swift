package import Transport

/// Decides which lines about peers are logged: the same cause only once in a while, and only so
/// many lines a minute for each source and for all together. A summary counts the others.
///
/// A peer chooses a part of many causes, such as a length or a name, and may have many names and
/// addresses. So a source is never a name, and there is a limit for all sources together.
package struct ReportBudget: Sendable {
    package struct Limits: Equatable, Sendable {
        /// Lines in a row of one source, and how many come back in a minute.
        package var burstOfSource = 16
        package var perMinuteOfSource = 4
        /// The same for all sources together.
        package var burst = 64
        package var perMinute = 30
        /// After this the same cause of the same source is told again.
        package var repetition: Duration = .seconds(3600)
        /// How long lines are left out before their number is told.
        package var summary: Duration = .seconds(60)

        package init() {}
    }

    package enum Verdict: Equatable, Sendable {
        case tell
        /// Told already.
        case known
        /// Counted for the next summary. The first one says when that is due; see
        /// ``ReportBudget/takeSummary()``.
        case leaveOut(summaryAt: MonotonicTime?)
    }

    /// Lines that may be told now, and more as time goes on.
    private struct Bucket {
        private var credit: Duration
        private var time: MonotonicTime
        private let interval: Duration
        private let capacity: Duration

        init(burst: Int, perMinute: Int, now: MonotonicTime) {
            interval = .seconds(60) / perMinute
            capacity = interval * burst
            credit = capacity
            time = now
        }

        mutating func hasToken(now: MonotonicTime) -> Bool {
            credit = min(credit + (now - time), capacity)
            time = now
            return credit >= interval
        }

        mutating func take() { credit -= interval }
    }

    private struct Source {
        var bucket: Bucket
        var told: [String: MonotonicTime] = [:]
    }

    /// Limits of what is remembered: more sources, or causes of a source, empty the memory. The
    /// limit of all sources together stays.
    private static let sourceCount = 1024
    private static let causeCount = 64
    /// How much of a cause is remembered.
    private static let causeByteCount = 160

    private let limits: Limits
    private var all: Bucket?
    private var sources: [String: Source] = [:]
    private var leftOutCount = 0

    package init(limits: Limits = Limits()) {
        precondition(limits.perMinute > 0 && limits.perMinuteOfSource > 0)
        self.limits = limits
    }

    /// What to do with a line about a source.
    /// - Parameter cause: `nil` for what is told each time, as far as there is room.
    package mutating func record(
        _ cause: String?, of source: String, now: MonotonicTime
    ) -> Verdict {
        let cause = cause.map {
            String(decoding: $0.utf8.prefix(Self.causeByteCount), as: UTF8.self)
        }
        if sources[source] == nil, sources.count >= Self.sourceCount { sources = [:] }
        var entry =
            sources[source]
            ?? Source(
                bucket: Bucket(
                    burst: limits.burstOfSource, perMinute: limits.perMinuteOfSource, now: now))
        var all =
            self.all ?? Bucket(burst: limits.burst, perMinute: limits.perMinute, now: now)
        if let cause, let last = entry.told[cause], now - last < limits.repetition { return .known }
        let hasRoom = entry.bucket.hasToken(now: now)
        // Checked last: a line that its source has no room for takes none from the others.
        guard hasRoom, all.hasToken(now: now) else {
            sources[source] = entry
            leftOutCount += 1
            return .leaveOut(summaryAt: leftOutCount == 1 ? now + limits.summary : nil)
        }
        entry.bucket.take()
        all.take()
        self.all = all
        if let cause {
            if entry.told.count >= Self.causeCount { entry.told = [:] }
            entry.told[cause] = now
        }
        sources[source] = entry
        return .tell
    }

    /// How many lines were left out since the last time. The next one that is says when to ask
    /// again.
    package mutating func takeSummary() -> Int {
        defer { leftOutCount = 0 }
        return leftOutCount
    }
}

package import Transport

/// Decides which lines about peers are logged. The same cause is logged only once in a while. The
/// lines per minute are limited for each source and for all sources together. A summary counts the
/// lines that were left out.
///
/// A peer chooses a part of many causes, such as a length or a name, and may have many names and
/// addresses. So a source is never a name, and there is a limit for all sources together.
package struct ReportBudget: Sendable {
    package struct Limits: Equatable, Sendable {
        /// How many lines of one source may follow at once, and how many more each minute allows.
        package var burstOfSource = 16
        package var perMinuteOfSource = 4
        /// The same for all sources together.
        package var burst = 64
        package var perMinute = 30
        /// After this time the same cause of the same source is logged again.
        package var repetition: Duration = .seconds(3600)
        /// How long left-out lines are counted before a summary gives their number.
        package var summary: Duration = .seconds(60)

        package init() {}
    }

    package enum Verdict: Equatable, Sendable {
        case tell
        /// The line was logged already.
        case known
        /// The line is counted for the next summary. The first one says when that summary is due;
        /// see ``ReportBudget/takeSummary()``.
        case leaveOut(summaryAt: MonotonicTime?)
    }

    /// How many lines may be logged now; the number grows with time.
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

    /// Limits of what is remembered. When there are more sources, or more causes of a source, that
    /// memory is emptied. The limit for all sources together stays.
    private static let sourceCount = 1024
    private static let causeCount = 64
    /// How many bytes of a cause are remembered.
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
    /// - Parameter cause: `nil` for a line that is logged each time, as far as there is room.
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
        // The common limit is checked last: a line that its own source has no room for takes no
        // room from others.
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

    /// How many lines were left out since the last summary. The next line that is left out says
    /// when to ask again.
    package mutating func takeSummary() -> Int {
        defer { leftOutCount = 0 }
        return leftOutCount
    }
}

package import Transport

/// What of all that peers cause is told in the log: each cause once in a while, and of one source, and of all together,
/// only so many lines a minute. How many were left out is told when the time has come.
///
/// A cause may hold what a peer has chosen, such as a length or a name, and a peer may have many names and
/// addresses. So a source is no name, and the lines of all sources have one limit.
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
        /// Counted for the next summary. The first one says when that is due: see ``ReportBudget/takeSummary()``.
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

    /// Beyond so many sources all are forgotten, and causes of one source beyond so many. What limits the lines of all
    /// sources together is never forgotten.
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
        // Not before: lines that a source has no room for take none of the others.
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

    /// How many lines were left out since the last time. The next one that is says when to ask again.
    package mutating func takeSummary() -> Int {
        defer { leftOutCount = 0 }
        return leftOutCount
    }
}

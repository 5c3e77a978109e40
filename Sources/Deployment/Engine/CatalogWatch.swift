internal import Transport

/// Says when to read the catalog again, and which of its failures the log has already reported.
struct CatalogWatch: Equatable {
    private(set) var target: Release?
    private(set) var isReading = false
    /// Whether a read has ended, in whatever way.
    private(set) var hasAnswered = false
    private(set) var nextRead: MonotonicTime?
    private var wasAnnouncedWhileReading = false
    private var failureCount = 0
    /// Why the catalog could not be read the last time.
    private(set) var lastFailure: String?
    private let interval: Duration

    init(interval: Duration, now: MonotonicTime) {
        self.interval = interval
        nextRead = now
    }

    /// Whether a read is due; if so it counts as begun.
    mutating func beginIfDue(now: MonotonicTime) -> Bool {
        guard !isReading, let nextRead, nextRead <= now else { return false }
        isReading = true
        self.nextRead = nil
        return true
    }

    mutating func announced(now: MonotonicTime) {
        if isReading { wasAnnouncedWhileReading = true } else { nextRead = now }
    }

    /// Takes the release that the catalog names. If it names none, the known target stays: a file
    /// may be missing for a moment.
    mutating func read(_ release: Release?, now: MonotonicTime) {
        target = release ?? target
        failureCount = 0
        lastFailure = nil
        finish(now: now, delay: interval)
    }

    /// Takes note of a failure and returns whether it is news. The delay doubles up to a minute.
    mutating func failed(_ reason: String, now: MonotonicTime) -> Bool {
        let isNews = reason != lastFailure
        lastFailure = reason
        failureCount += 1
        let factor = 1 << min(failureCount - 1, 4)
        finish(now: now, delay: min(interval * factor, max(interval, .seconds(60))))
        return isNews
    }

    private mutating func finish(now: MonotonicTime, delay: Duration) {
        (isReading, hasAnswered) = (false, true)
        nextRead = wasAnnouncedWhileReading ? now : now + delay
        wasAnnouncedWhileReading = false
    }
}

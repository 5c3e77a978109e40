package import Transport

/// When the logs are looked at and which are rotated. It does no I/O and reads no clock.
package struct LogRotationPolicy: Sendable {
    /// How the rotation of one log came out.
    package enum Outcome: Equatable, Sendable {
        case rotated
        /// The file system can free nothing inside a file.
        case unsupported
        /// A full disk, most likely.
        case failed(String)
    }

    /// What an operator should read, each once until it has worked again.
    package enum Notice: Equatable, Sendable {
        case warning(String)
        case info(String)
    }

    /// The longest and the shortest time between two looks. A log that grows fast is looked at as
    /// soon as it may have grown by half of its limit.
    package static let intervals: ClosedRange<Duration> = .milliseconds(250)...(.seconds(5))
    /// Until a rotation that failed is tried again.
    package static let retryDelay: Duration = .seconds(30)

    private struct Log: Sendable {
        var byteCount: Int64?
        var retryAt: MonotonicTime?
        var hasFailed = false
        var isUnsupported = false
    }

    private let limits: LogLimits
    private var logs: [String: Log] = [:]
    private var lookedAt: MonotonicTime?
    private var interval = Self.intervals.upperBound

    package init(limits: LogLimits) {
        self.limits = limits
    }

    /// The content of each log in bytes, by path; one that is not there is left out.
    /// - Returns: The paths to rotate, in order.
    package mutating func measured(_ sizes: [String: Int64], now: MonotonicTime) -> [String] {
        guard !limits.isOff else { return [] }
        let elapsed = lookedAt.map { (now - $0).inSeconds } ?? 0
        lookedAt = now
        logs = logs.filter { sizes[$0.key] != nil }
        interval = Self.intervals.upperBound
        var due: [String] = []
        for (path, byteCount) in sizes.sorted(by: { $0.key < $1.key }) {
            var log = logs[path] ?? Log()
            if elapsed > 0, let before = log.byteCount, byteCount > before {
                let seconds =
                    Double(limits.fileByteCount) / 2 * elapsed / Double(byteCount - before)
                interval = min(interval, .seconds(min(seconds, interval.inSeconds)))
            }
            log.byteCount = byteCount
            logs[path] = log
            let waits = log.retryAt.map { now < $0 } ?? false
            guard byteCount > limits.fileByteCount, !log.isUnsupported, !waits else { continue }
            due.append(path)
            // One turn may not be enough.
            interval = Self.intervals.lowerBound
        }
        return due
    }

    /// How long until the logs are to be looked at again.
    package var untilNextLook: Duration { max(interval, Self.intervals.lowerBound) }

    /// - Returns: What is worth a line.
    package mutating func finished(
        _ path: String, _ outcome: Outcome, now: MonotonicTime
    ) -> Notice? {
        var log = logs[path] ?? Log()
        defer { logs[path] = log }
        // What it is from now on is not growth.
        log.byteCount = nil
        switch outcome {
        case .rotated:
            let hadFailed = log.hasFailed
            log = Log()
            return hadFailed ? .info("\(path) is being rotated again") : nil
        case .unsupported:
            log.isUnsupported = true
            return .warning(
                "\(path) cannot be rotated while it is written to: its file system frees no part"
                    + " of a file; it is rotated when the instance starts again")
        case .failed(let reason):
            log.retryAt = now + Self.retryDelay
            guard !log.hasFailed else { return nil }
            log.hasFailed = true
            return .warning("rotating \(path) failed, and is tried again until it works: \(reason)")
        }
    }

    /// The instance that writes it is about to start: the log may be another one, or smaller. What
    /// has been told stays told.
    package mutating func restarted(_ path: String) {
        logs[path] = Log(hasFailed: logs[path]?.hasFailed ?? false)
    }
}

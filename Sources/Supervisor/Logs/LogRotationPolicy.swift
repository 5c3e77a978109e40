package import Transport

/// Decides when to look at the logs and which ones to rotate. It does no I/O and reads no clock.
package struct LogRotationPolicy: Sendable {
    /// The result of rotating one log.
    package enum Outcome: Equatable, Sendable {
        case rotated
        /// The file system cannot free a part of a file.
        case unsupported
        /// Most likely a full disk.
        case failed(String)
    }

    /// What an operator should read. Each is reported once, until rotation has worked again.
    package enum Notice: Equatable, Sendable {
        case warning(String)
        case info(String)
    }

    /// The shortest and the longest time between two looks. A log that grows fast is looked at as
    /// soon as it may have grown by half of its limit.
    package static let intervals: ClosedRange<Duration> = .milliseconds(250)...(.seconds(1))
    /// The time to the next look when a log holds more than is kept of it at all.
    static let floodInterval: Duration = .milliseconds(50)
    /// How long to wait before a failed rotation is tried again.
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

    /// Takes the size of each log's content in bytes, by path, without logs that do not exist.
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
            if byteCount / Int64(limits.keptPieceCount + 1) > limits.fileByteCount {
                interval = Self.floodInterval
            }
        }
        return due
    }

    /// How long to wait before the next look at the logs.
    package var untilNextLook: Duration {
        interval == Self.floodInterval ? interval : max(interval, Self.intervals.lowerBound)
    }

    /// - Returns: what is worth a line in the log.
    package mutating func finished(
        _ path: String, _ outcome: Outcome, now: MonotonicTime
    ) -> Notice? {
        var log = logs[path] ?? Log()
        defer { logs[path] = log }
        // Its new size says nothing about growth.
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

    /// The instance that writes the log is about to start: the log may be another one, or smaller.
    /// A failure that was already reported is not reported again.
    package mutating func restarted(_ path: String) {
        logs[path] = Log(hasFailed: logs[path]?.hasFailed ?? false)
    }
}

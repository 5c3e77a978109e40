internal import Glibc

/// A moment on the wall clock, for log lines.
package struct LogTimestamp: Equatable, Sendable, CustomStringConvertible {
    /// Milliseconds since 1970, UTC, without leap seconds.
    package var milliseconds: Int64

    package static var now: LogTimestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogTimestamp(
            milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// ISO 8601 in UTC: `2026-03-01T12:00:00.042Z`
    package var description: String {
        let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
        var seconds = time_t(rest < 0 ? whole - 1 : whole)
        let fraction = rest < 0 ? rest + 1_000 : rest
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date =
            [(parts.tm_year + 1_900).padded(to: 4)]
            + [parts.tm_mon + 1, parts.tm_mday].map { $0.padded(to: 2) }
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { $0.padded(to: 2) }
        return date.joined(separator: "-") + "T" + time.joined(separator: ":") + "."
            + fraction.padded(to: 3) + "Z"
    }
}

extension BinaryInteger {
    /// The number in decimal, with at least `count` digits.
    func padded(to count: Int) -> String {
        let text = String(self)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}

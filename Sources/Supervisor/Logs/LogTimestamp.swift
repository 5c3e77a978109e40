internal import Glibc

/// A moment on the wall clock, for lines of a log.
package struct LogTimestamp: Equatable, Sendable, CustomStringConvertible {
    /// Since 1970, UTC, without leap seconds.
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

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
        return Self.padded(parts.tm_year + 1_900, 4) + "-" + Self.padded(parts.tm_mon + 1, 2) + "-"
            + Self.padded(parts.tm_mday, 2) + "T" + Self.padded(parts.tm_hour, 2) + ":"
            + Self.padded(parts.tm_min, 2) + ":" + Self.padded(parts.tm_sec, 2) + "."
            + Self.padded(Int32(fraction), 3) + "Z"
    }

    private static func padded(_ number: Int32, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}

internal import Glibc

/// A point on the monotonic clock, in nanoseconds since an arbitrary origin.
///
/// Machines take the time as an argument instead of reading a clock, so that tests and simulations
/// choose it. The clock stops while the host is suspended. Source: clock_gettime(2),
/// CLOCK_MONOTONIC.
public struct MonotonicTime: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The time now.
    public static var now: MonotonicTime {
        var value = timespec()
        clock_gettime(CLOCK_MONOTONIC, &value)
        return MonotonicTime(
            nanoseconds: Int64(value.tv_sec) * 1_000_000_000 + Int64(value.tv_nsec))
    }

    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The time `duration` later. At both ends of the range it saturates.
    public static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        guard overflow else { return MonotonicTime(nanoseconds: sum) }
        return MonotonicTime(nanoseconds: duration.nanoseconds < 0 ? .min : .max)
    }

    /// The time from `right` to `left`.
    public static func - (left: MonotonicTime, right: MonotonicTime) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }
}

extension Duration {
    /// Whole nanoseconds, saturating at 292 years.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !sumOverflow else { return seconds < 0 ? .min : .max }
        return sum
    }

    /// Seconds with their fraction, for people and for JSON.
    public var inSeconds: Double {
        Double(nanoseconds) / 1e9
    }

    /// Seconds and tenths, for people.
    package var roughText: String {
        let tenths = Int((inSeconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }
}

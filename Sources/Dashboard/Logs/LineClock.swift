internal import Glibc

/// Finds the date of lines that say only a time of day, from the lines around them.
///
/// Going backwards, it begins with the time of the log's last write: the last line is from the
/// last day on which that time of day was not later. A time of day that is later than the next
/// line's by more than an hour belongs to the day before. Going forwards, it is the other way
/// round. So lines of one log may be out of order by an hour, and a log that is silent for more
/// than a day may have wrong dates. It reads no clock.
package struct LineClock: Equatable, Sendable {
    /// The time of the line that was looked at last, in milliseconds since 1970.
    package private(set) var latest: Int64
    private let zone: Zone

    /// How far local time is ahead of UTC.
    package enum Zone: Equatable, Sendable {
        case local
        case fixed(milliseconds: Int64)

        func offset(at moment: Int64) -> Int64 {
            switch self {
            case .fixed(let milliseconds): return milliseconds
            case .local:
                var seconds = time_t(moment / 1_000)
                var parts = tm()
                guard localtime_r(&seconds, &parts) != nil else { return 0 }
                return Int64(parts.tm_gmtoff) * 1_000
            }
        }
    }

    private static let day: Int64 = 86_400_000
    private static let disorder: Int64 = 3_600_000
    /// Far beyond any real time; sums with it do not overflow.
    private static let maximum: Int64 = 1 << 50

    /// - Parameter latest: in milliseconds since 1970.
    package init(_ latest: Int64, zone: Zone = .local) {
        self.latest = min(max(latest, 0), Self.maximum)
        self.zone = zone
    }

    /// The time of a line that comes before the one that was looked at last.
    package mutating func backwards(_ stamp: LineStamp) -> Int64 {
        latest = moment(stamp) { $0 > $1 + Self.disorder ? -Self.day : 0 }
        return latest
    }

    /// The time of a line that comes after the one that was looked at last.
    package mutating func forwards(_ stamp: LineStamp) -> Int64 {
        latest = moment(stamp) { $0 < $1 - Self.disorder ? Self.day : 0 }
        return latest
    }

    private func moment(
        _ stamp: LineStamp, _ correction: (_ candidate: Int64, _ latest: Int64) -> Int64
    ) -> Int64 {
        switch stamp {
        case .moment(let moment): return moment
        case .localMoment(let local): return moment(ofLocal: local)
        case .timeOfDay(let time):
            let local = latest + zone.offset(at: latest)
            let midnight = local - local % Self.day
            let candidate = midnight + time
            return moment(ofLocal: candidate + correction(candidate, local))
        }
    }

    private func moment(ofLocal local: Int64) -> Int64 {
        let near = local - zone.offset(at: local)
        return local - zone.offset(at: near)
    }
}

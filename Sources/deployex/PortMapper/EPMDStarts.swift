internal import Transport

/// When an EPMD is started because none listens: at once, and not again and again where it does not
/// help.
struct EPMDStarts: Equatable {
    /// Between the first start and the second; then twice as long each time.
    private static let first = Duration.seconds(4)
    /// And no longer than this. After as long without a start the next one is a first one again.
    private static let maximum = Duration.seconds(300)

    private var next: MonotonicTime?
    private var pause = first

    /// None listens. Whether one is to be started now.
    mutating func unreachable(now: MonotonicTime) -> Bool {
        if let next {
            guard now >= next else { return false }
            pause = now >= next + Self.maximum ? Self.first : min(pause * 2, Self.maximum)
        }
        next = now + pause
        return true
    }
}

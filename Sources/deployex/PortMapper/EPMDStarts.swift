internal import Transport

/// When to start an EPMD because none listens: at once, but not again and again if that does not
/// help.
struct EPMDStarts: Equatable {
    /// The wait between the first start and the second. It doubles each time.
    private static let first = Duration.seconds(4)
    /// The longest wait. After as long without a start, the next one counts as the first again.
    private static let maximum = Duration.seconds(300)

    private var next: MonotonicTime?
    private var pause = first

    /// None listens. Returns whether to start one now.
    mutating func unreachable(now: MonotonicTime) -> Bool {
        if let next {
            guard now >= next else { return false }
            pause = now >= next + Self.maximum ? Self.first : min(pause * 2, Self.maximum)
        }
        next = now + pause
        return true
    }
}

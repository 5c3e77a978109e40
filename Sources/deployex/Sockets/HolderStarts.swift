internal import Transport

/// When to start the next holder after one has ended: at once, but not again and again.
struct HolderStarts: Equatable {
    private static let maximum = Duration.seconds(60)
    private var last: MonotonicTime?
    private var pause = Duration.zero

    mutating func delay(now: MonotonicTime) -> Duration {
        if let last, now < last + Self.maximum * 2 {
            pause = pause == .zero ? .milliseconds(500) : min(pause * 2, Self.maximum)
        } else {
            pause = .zero
        }
        last = now
        return pause
    }
}

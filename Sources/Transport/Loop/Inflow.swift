/// Decides how long the event loop polls for more before it waits.
///
/// While large messages come, and for a handshake's next answer, it polls for a moment: sleeping
/// and waking would take longer. While many small messages come and nothing leaves, it lets them
/// gather. In all other cases it waits at once. `docs/performance.md` has the figures.
struct Inflow {
    enum Wait: Equatable {
        /// Waits until something happens.
        case block
        /// Polls until this time before it waits.
        case look(until: MonotonicTime)
        /// Lets messages gather until this time.
        case gather(until: MonotonicTime)
    }

    /// A turn that reads this much has read part of a large message.
    static let largeByteCount = 8 << 10
    /// This many turns in a row that read little are a stream of small messages.
    static let streakLength = 32
    /// Turns further apart than this do not belong to one stream.
    static let longestGap: Duration = .microseconds(100)
    /// How long to poll, and how long to let messages gather.
    static let lookingTime: Duration = .microseconds(30)
    static let gatheringTime: Duration = .microseconds(20)
    static let answerTime: Duration = .microseconds(50)

    /// Bytes that were read since the last wait.
    private var byteCount = 0
    private var streak = 0
    private var expectsAnswer = false
    private var lastTurn = MonotonicTime(nanoseconds: 0)

    mutating func received(byteCount: Int) {
        self.byteCount += byteCount
    }

    /// The other side of a handshake has the next step.
    mutating func expectAnswer() {
        expectsAnswer = true
    }

    mutating func sent() {
        byteCount = 0
        streak = 0
    }

    /// How to wait now, at the end of a turn.
    mutating func next(now: MonotonicTime) -> Wait {
        if expectsAnswer {
            expectsAnswer = false
            byteCount = 0
            return .look(until: now + Self.answerTime)
        }
        guard byteCount > 0 else {
            streak = 0
            return .block
        }
        defer { byteCount = 0 }
        if byteCount >= Self.largeByteCount {
            streak = 0
            return .look(until: now + Self.lookingTime)
        }
        streak = now - lastTurn > Self.longestGap ? 1 : streak + 1
        lastTurn = now
        return streak < Self.streakLength ? .block : .gather(until: now + Self.gatheringTime)
    }
}

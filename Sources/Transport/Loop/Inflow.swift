/// How the event loop waits while much comes and nothing leaves: not at once.
///
/// A thread that sleeps has to be woken by the sender, which then has less time to send; while one sleeps and wakes,
/// 100 KiB could have come. And a receiver that takes each of many small messages as it comes holds their
/// sender up: the kernel acknowledges each read, and both sides want the same lock. Whoever asks and waits for
/// answers is not affected, because there something leaves in between; unless it is a handshake, which is seldom
/// and has several answers, that on the same host come before a thread has gone to sleep.
struct Inflow {
    enum Wait: Equatable {
        /// Until something happens.
        case block
        /// Looks for more until then before it waits.
        case look(until: MonotonicTime)
        /// Lets messages gather until then.
        case gather(until: MonotonicTime)
    }

    /// As much in one turn is a part of something large.
    static let largeByteCount = 8 << 10
    /// So many turns in a row with something small are a stream of small messages.
    static let streakLength = 32
    /// Turns further apart than this do not belong to one stream.
    static let longestGap: Duration = .microseconds(100)
    /// Longer times of both made senders wait, shorter ones did less.
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

    /// A step of a handshake has been taken, and the other side's is next.
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

internal import Transport

/// Says when to send a tick and when the peer has been silent for too long. It reads no clock.
///
/// As in OTP the tick time T has four checks. After a quarter in which we sent nothing we send a
/// tick. A peer that stays silent is given up between T and 1.25 T after its last byte.
///
/// A healthy peer with a longer tick time than ours may be silent for T. So we send it a question
/// after half of T. A peer with a shorter one gives us up before our next tick is due. So we answer
/// its ticks, unless we have sent something since it last did. An answer takes two receptions:
/// therefore two nodes which both answer fall silent again. A peer that sends messages does not
/// tick: we answer it when it has sent for two seconds and we have not. We do not do so while there
/// may be more to read, because a peer that closes loses what it still has to send when something
/// comes to it.
///
/// Source: "net_ticktime" in kernel(6); `dist_util:con_loop/2`.
struct TickClock: Equatable {
    enum Action: Equatable {
        case none
        case sendTick
        /// The peer was silent for half of T or more: send something that it answers.
        case sendProbe
        /// The peer has been silent for T.
        case giveUp
    }

    let quarter: Duration
    /// When ``check(now:)`` is due.
    private(set) var nextCheck: MonotonicTime
    private var hasReceived = false
    private var hasSent = false
    private var silentQuarters = 0
    /// Whether we have sent something since the peer last did.
    private var hasSpoken = false
    private var nextTickAnswer: MonotonicTime
    private var nextMessageAnswer: MonotonicTime

    /// Answers to ticks are so far apart. The shortest `net_ticktime` is one second.
    static let tickAnswerInterval = Duration.milliseconds(500)
    /// For so long a peer may send messages without an answer.
    static let messageAnswerInterval = Duration.seconds(2)
    /// What comes after such a pause is a new beginning. A peer that sends nothing for so long, and
    /// does not tick, has a tick time that suits ours.
    private static let pause = Duration.seconds(8)

    init(time: Duration, now: MonotonicTime) {
        precondition(time > .zero, "The tick time is positive")
        quarter = .nanoseconds(time.nanoseconds / 4)
        nextCheck = now + quarter
        nextTickAnswer = now
        nextMessageAnswer = now + Self.messageAnswerInterval
    }

    /// Something has come and has been handled. Any byte counts as a sign of life.
    /// - Parameters:
    ///   - isTick: whether it is a tick, or ends with one.
    ///   - mayBeMore: whether it is a part of much.
    /// - Returns: whether to send a tick now.
    mutating func received(isTick: Bool, mayBeMore: Bool = false, now: MonotonicTime) -> Bool {
        hasReceived = true
        if hasSpoken || now >= nextMessageAnswer + Self.pause {
            nextMessageAnswer = now + Self.messageAnswerInterval
        }
        guard !hasSpoken else {
            hasSpoken = false
            return false
        }
        guard now >= (isTick ? nextTickAnswer : nextMessageAnswer), isTick || !mayBeMore else {
            return false
        }
        nextTickAnswer = now + Self.tickAnswerInterval
        bytesSent()
        return true
    }

    mutating func bytesSent() {
        hasSent = true
        hasSpoken = true
    }

    /// What to do at the end of a quarter.
    mutating func check(now: MonotonicTime) -> Action {
        guard now >= nextCheck else { return .none }
        nextCheck = now + quarter
        silentQuarters = hasReceived ? 0 : silentQuarters + 1
        let mustTick = !hasSent
        hasReceived = false
        hasSent = false
        if silentQuarters >= 4 { return .giveUp }
        guard mustTick || silentQuarters >= 2 else { return .none }
        hasSpoken = true
        return silentQuarters >= 2 ? .sendProbe : .sendTick
    }
}

internal import Transport

/// Says when to send a tick and when the peer has been silent for too long. It reads no clock.
///
/// As in OTP the tick time T has four checks. After a quarter in which we sent nothing we send a
/// tick. A peer that stays silent is given up between T and 1.25 T after its last byte.
///
/// A healthy peer with a longer tick time than ours may be silent for T. So we send it a question
/// after half of T.
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

    init(time: Duration, now: MonotonicTime) {
        precondition(time > .zero, "The tick time is positive")
        quarter = .nanoseconds(time.nanoseconds / 4)
        nextCheck = now + quarter
    }

    /// Any byte counts as a sign of life.
    mutating func bytesReceived() { hasReceived = true }

    mutating func bytesSent() { hasSent = true }

    /// What to do at the end of a quarter.
    mutating func check(now: MonotonicTime) -> Action {
        guard now >= nextCheck else { return .none }
        nextCheck = now + quarter
        silentQuarters = hasReceived ? 0 : silentQuarters + 1
        let mustTick = !hasSent
        hasReceived = false
        hasSent = false
        if silentQuarters >= 4 { return .giveUp }
        if silentQuarters >= 2 { return .sendProbe }
        return mustTick ? .sendTick : .none
    }
}

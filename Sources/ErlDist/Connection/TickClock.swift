internal import Transport

/// Says when to send a tick and when the peer has been silent for too long. It reads no clock.
///
/// As in OTP the time T is divided by four: after each quarter without a frame of ours a tick is due,
/// and a peer of which nothing came for more than T is gone. It is found out between T and 1.25 T.
///
/// A peer with a longer tick time than ours would be silent for too long though nothing is wrong. So after
/// half of T it is to be asked something.
///
/// Source: "net_ticktime" in kernel(6); `dist_util:con_loop/2`.
struct TickClock: Equatable {
    enum Action: Equatable {
        case none
        case sendTick
        /// The peer has been silent for half of T, or more: to be sent something that it answers.
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

    /// Any byte is a sign of life.
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

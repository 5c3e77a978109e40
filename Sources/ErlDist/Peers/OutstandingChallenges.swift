/// The challenges that we have sent on accepted connections and that are not answered yet.
///
/// A stranger could connect to us, take our challenge, and show it where we dial: we would compute
/// the answer for it. Nothing in a handshake tells its direction, so we refuse our own challenges.
struct OutstandingChallenges<ID: Hashable & Sendable>: Sendable {
    private var challenges: [ID: UInt32] = [:]

    /// An accepted connection begins its handshake with this challenge.
    mutating func begin(_ id: ID, _ challenge: UInt32) {
        challenges[id] = challenge
    }

    /// Its handshake has ended, well or not, or was given up.
    mutating func end(_ id: ID) {
        challenges[id] = nil
    }

    mutating func removeAll() {
        challenges = [:]
    }

    /// Whether an acceptor of ours waits for the answer to it.
    func contains(_ challenge: UInt32) -> Bool {
        challenges.values.contains(challenge)
    }
}

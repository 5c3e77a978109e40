/// The challenges that our acceptors have sent and that have not been answered.
///
/// Whoever shows us one of them as its own, where we dial, wants us to answer for it what we have asked
/// somebody: nothing in the handshake says which way a challenge goes.
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

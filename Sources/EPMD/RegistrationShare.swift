/// How many nodes may be registered with a daemon, all together and by one user: so many that others still have
/// their place, and that there is always a connection left for whoever asks.
struct RegistrationShare {
    struct Limits: Equatable, Sendable {
        /// All registrations. What is left up to the number of connections is for questions.
        var count: Int
        /// Registrations of one user. Root's have no such limit: whoever is root can end the daemon anyway. Those of whom
        /// the user is not known count as those of one.
        var countOfUser: Int
        /// So many of all are only for root.
        var countOfRoot: Int
    }

    private let limits: Limits
    private var counts: [UInt32?: Int] = [:]
    private var count = 0

    init(limits: Limits) {
        self.limits = limits
    }

    /// Why a user may register no more; `nil` when there is room.
    func refusal(of user: UInt32?) -> String? {
        let others = count - (counts[0] ?? 0)
        guard count < limits.count, user == 0 || others < limits.count - limits.countOfRoot else {
            return "\(count) nodes are registered already"
        }
        guard user != 0, let own = counts[user], own >= limits.countOfUser else { return nil }
        let name = user.map { "user \($0)" } ?? "a user that is not known"
        return "\(own) nodes of \(name) are registered already"
    }

    mutating func registered(by user: UInt32?) {
        count += 1
        counts[user, default: 0] += 1
    }

    mutating func unregistered(by user: UInt32?) {
        count -= 1
        counts[user, default: 0] -= 1
        if counts[user] == 0 { counts[user] = nil }
    }
}

/// How many nodes one user, and all users together, may register with a daemon. So others still
/// find a place, and some connections stay free for questions.
struct RegistrationShare {
    struct Limits: Equatable, Sendable {
        /// All registrations. The other connections are reserved for questions.
        var count: Int
        /// Registrations of one user. Root has no such limit, since it can end the daemon anyway.
        /// All unknown users count as one.
        var countOfUser: Int
        /// How many of all registrations are reserved for root.
        var countOfRoot: Int
    }

    private let limits: Limits
    private var counts: [UInt32?: Int] = [:]
    private var count = 0

    init(limits: Limits) {
        self.limits = limits
    }

    /// Why a user may not register another node; `nil` when it may.
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

/// A queue of connections whose users are to be looked up. A few look-ups run at once, since each
/// costs a thread and a descriptor. The others wait in the order in which they came. The number of
/// connections is limited already, so the queue needs no limit for them.
struct LookUpQueue<ID: Sendable>: Sendable {
    private let limit: Int
    private var running = 0
    private var waiting: [ID] = []
    /// How many entries at the beginning of `waiting` have had their turn.
    private var head = 0

    /// - Precondition: `limit` is positive.
    init(limit: Int = 4) {
        precondition(limit > 0, "Somebody is looked up")
        self.limit = limit
    }

    /// Adds an entry. - Returns: whether to look it up now. In that case, call ``next()``
    /// afterwards.
    mutating func add(_ id: ID) -> Bool {
        guard running == limit else {
            running += 1
            return true
        }
        waiting.append(id)
        return false
    }

    /// Call this when a look-up has ended. - Returns: the entry to look up next.
    mutating func next() -> ID? {
        guard head < waiting.count else {
            (waiting, head) = ([], 0)
            running -= 1
            return nil
        }
        defer { head += 1 }
        return waiting[head]
    }
}

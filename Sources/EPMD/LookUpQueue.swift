/// Who waits to be looked up: some at once, each of which costs a thread and a descriptor, and the
/// others in the order in which they came. They are connections, so there is a limit for them
/// already.
struct LookUpQueue<ID: Sendable>: Sendable {
    private let limit: Int
    private var running = 0
    private var waiting: [ID] = []
    /// How many at the beginning of `waiting` have had their turn.
    private var head = 0

    /// - Precondition: `limit` is positive.
    init(limit: Int = 4) {
        precondition(limit > 0, "Somebody is looked up")
        self.limit = limit
    }

    /// One more. - Returns: whether it is to be looked up now, to be followed by ``next()``.
    mutating func add(_ id: ID) -> Bool {
        guard running == limit else {
            running += 1
            return true
        }
        waiting.append(id)
        return false
    }

    /// A look-up has ended. - Returns: whom to look up instead.
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

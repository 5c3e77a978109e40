internal import Transport

/// The calls of one connection that wait for an answer, with their deadlines.
///
/// A number identifies each call. A `Token` completes a call; each token is handed back exactly
/// once. A connection needs one timer, for ``nextDeadline``, however many calls there are. The
/// deadlines are a heap. Deadlines of finished calls stay in it until they come up or are the
/// majority.
struct PendingCalls<Token> {
    private struct Call {
        var token: Token
        var deadline: MonotonicTime
    }

    private var calls: [UInt64: Call] = [:]
    private var heap = NumberedDeadlines()

    /// How many calls wait.
    var count: Int { calls.count }

    /// Deadlines held, those of finished calls included.
    var heldDeadlineCount: Int { heap.count }

    /// No call's deadline is earlier. It may belong to a call that is finished already.
    var nextDeadline: MonotonicTime? { heap.firstTime }

    mutating func insert(_ id: UInt64, _ token: Token, deadline: MonotonicTime) {
        precondition(calls[id] == nil, "A call's number is unique")
        calls[id] = Call(token: token, deadline: deadline)
        if heap.count > 64, heap.count > calls.count * 2 { removeFinished() }
        heap.insert(id, at: deadline)
    }

    /// Changes what completes a call.
    mutating func update(_ id: UInt64, _ body: (inout Token) -> Void) {
        guard let index = calls.index(forKey: id) else { return }
        body(&calls.values[index].token)
    }

    /// Ends a call; `nil` when no such call waits.
    mutating func remove(_ id: UInt64) -> Token? {
        calls.removeValue(forKey: id)?.token
    }

    /// Ends all calls whose deadline has come, the earliest first.
    mutating func takeExpired(now: MonotonicTime) -> [(id: UInt64, token: Token)] {
        var expired: [(id: UInt64, token: Token)] = []
        while let id = heap.popFirst(dueAt: now) {
            if let call = calls.removeValue(forKey: id) { expired.append((id, call.token)) }
        }
        return expired
    }

    /// Ends all calls: the connection is gone.
    mutating func takeAll() -> [Token] {
        defer {
            calls = [:]
            heap = NumberedDeadlines()
        }
        return calls.values.map { $0.token }
    }

    private mutating func removeFinished() {
        heap.removeAll { calls[$0] == nil }
    }
}

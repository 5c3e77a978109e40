internal import ExternalTermFormat
internal import Transport

/// The calls of one connection that wait for an answer, with their deadlines.
///
/// `Token` is whatever completes a call; the machine hands each one back exactly once. Deadlines are a heap
/// in which finished calls stay until they come up or are the majority, so that a connection needs one
/// timer, for ``nextDeadline``, however many calls there are.
struct PendingCalls<Token> {
    private struct Call {
        var token: Token
        var deadline: MonotonicTime
    }

    private var calls: [Reference: Call] = [:]
    private var heap: [(deadline: MonotonicTime, id: Reference)] = []

    /// How many calls wait.
    var count: Int { calls.count }

    /// Deadlines held, those of finished calls included.
    var heldDeadlineCount: Int { heap.count }

    /// No call's deadline is earlier. It may belong to a call that is finished already.
    var nextDeadline: MonotonicTime? { heap.first?.deadline }

    mutating func insert(_ id: Reference, _ token: Token, deadline: MonotonicTime) {
        precondition(calls[id] == nil, "A call's reference is unique")
        calls[id] = Call(token: token, deadline: deadline)
        if heap.count > 64, heap.count > calls.count * 2 { removeFinished() }
        heap.append((deadline, id))
        siftUp(from: heap.count - 1)
    }

    /// The call, which goes on waiting.
    func token(of id: Reference) -> Token? {
        calls[id]?.token
    }

    /// Changes what completes a call.
    mutating func update(_ id: Reference, _ body: (inout Token) -> Void) {
        guard let index = calls.index(forKey: id) else { return }
        body(&calls.values[index].token)
    }

    /// Ends a call. `nil` for one that does not wait (any more).
    mutating func remove(_ id: Reference) -> Token? {
        calls.removeValue(forKey: id)?.token
    }

    /// Ends all calls whose deadline has come, the earliest first.
    mutating func takeExpired(now: MonotonicTime) -> [(id: Reference, token: Token)] {
        var expired: [(id: Reference, token: Token)] = []
        while let first = heap.first, first.deadline <= now {
            removeFirst()
            if let call = calls.removeValue(forKey: first.id) {
                expired.append((first.id, call.token))
            }
        }
        return expired
    }

    /// Ends all calls: the connection is gone.
    mutating func takeAll() -> [Token] {
        defer {
            calls = [:]
            heap = []
        }
        return calls.values.map(\.token)
    }

    private mutating func removeFinished() {
        let live = heap.filter { calls[$0.id] != nil }
        heap.removeAll(keepingCapacity: true)
        for entry in live {
            heap.append(entry)
            siftUp(from: heap.count - 1)
        }
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline {
                child += 1
            }
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(parent, child)
            parent = child
        }
    }

    private mutating func siftUp(from index: Int) {
        var index = index
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].deadline < heap[parent].deadline else { return }
            heap.swapAt(index, parent)
            index = parent
        }
    }
}

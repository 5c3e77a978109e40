/// Values ordered by time, the earliest first: a binary heap. Values with the same time come in the
/// order in which they were inserted.
struct DeadlineHeap<Value> {
    private struct Entry {
        var time: MonotonicTime
        var order: UInt64
        var value: Value

        func isBefore(_ other: Entry) -> Bool {
            (time, order) < (other.time, other.order)
        }
    }

    private var entries: [Entry] = []
    private var nextOrder: UInt64 = 0

    var count: Int { entries.count }

    var first: (time: MonotonicTime, value: Value)? {
        entries.first.map { ($0.time, $0.value) }
    }

    /// The time of ``first``, without a copy of its value.
    var firstTime: MonotonicTime? {
        entries.isEmpty ? nil : entries[0].time
    }

    mutating func insert(_ value: Value, at time: MonotonicTime) {
        entries.append(Entry(time: time, order: nextOrder, value: value))
        nextOrder += 1
        siftUp(from: entries.count - 1)
    }

    /// Removes the first value, which must exist.
    mutating func removeFirst() {
        precondition(!entries.isEmpty, "An empty heap has no first value")
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        siftDown()
    }

    /// Removes and returns the first value if its time has come.
    mutating func popFirst(dueAt now: MonotonicTime) -> Value? {
        guard let first = entries.first, first.time <= now else { return nil }
        removeFirst()
        return first.value
    }

    mutating func removeAll(where isUnwanted: (Value) -> Bool) {
        let kept = entries.filter { !isUnwanted($0.value) }
        entries.removeAll(keepingCapacity: true)
        for entry in kept {
            entries.append(entry)
            siftUp(from: entries.count - 1)
        }
    }

    private mutating func siftUp(from index: Int) {
        var index = index
        while index > 0 {
            let parent = (index - 1) / 2
            guard entries[index].isBefore(entries[parent]) else { return }
            entries.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < entries.count else { return }
            if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) {
                child += 1
            }
            guard entries[child].isBefore(entries[parent]) else { return }
            entries.swapAt(parent, child)
            parent = child
        }
    }
}

/// Numbered deadlines. The type is not generic, so that other modules use it without indirection.
package struct NumberedDeadlines {
    private var heap = DeadlineHeap<UInt64>()

    package init() {}

    package var count: Int { heap.count }
    package var firstTime: MonotonicTime? { heap.firstTime }

    package mutating func insert(_ number: UInt64, at time: MonotonicTime) {
        heap.insert(number, at: time)
    }

    package mutating func popFirst(dueAt now: MonotonicTime) -> UInt64? {
        heap.popFirst(dueAt: now)
    }

    package mutating func removeAll(where isUnwanted: (UInt64) -> Bool) {
        heap.removeAll(where: isUnwanted)
    }
}

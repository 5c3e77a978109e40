/// A pending timer of an ``EventLoop``. Confined to the loop's thread; letting go of it does not
/// cancel it.
public final class LoopTimer {
    private var body: (() -> Void)?

    init(_ body: @escaping () -> Void) {
        self.body = body
    }

    /// The timer will not fire. Cancelling twice, or after it fired, does nothing.
    public func cancel() {
        body = nil
    }

    var isCancelled: Bool {
        body == nil
    }

    func fire() {
        let body = body
        self.body = nil
        body?()
    }
}

/// Timers by time: a binary heap. Those due at the same time fire in the order of their making.
struct TimerQueue {
    private struct Entry {
        var time: MonotonicTime
        var order: UInt64
        var timer: LoopTimer

        func isBefore(_ other: Entry) -> Bool {
            (time, order) < (other.time, other.order)
        }
    }

    private var heap: [Entry] = []
    private var nextOrder: UInt64 = 0
    /// Cancelled timers stay in the heap; when they may be the majority it is rebuilt without them.
    private var insertionsUntilSweep = 1024

    /// Timers held, cancelled ones included.
    var count: Int { heap.count }

    mutating func insert(_ timer: LoopTimer, at time: MonotonicTime) {
        insertionsUntilSweep -= 1
        if insertionsUntilSweep == 0 { sweep() }
        heap.append(Entry(time: time, order: nextOrder, timer: timer))
        nextOrder += 1
        siftUp(from: heap.count - 1)
    }

    /// Removes and returns what is due at `now`, in order. Firing is the caller's, because a timer may
    /// make another one.
    mutating func takeDue(now: MonotonicTime) -> [LoopTimer] {
        var due: [LoopTimer] = []
        while let first = heap.first, first.time <= now {
            due.append(first.timer)
            removeFirst()
        }
        return due
    }

    /// Milliseconds until the next timer, rounded up so that it is due then; -1 when there is none.
    mutating func timeoutMilliseconds(now: MonotonicTime) -> Int32 {
        while let first = heap.first, first.timer.isCancelled { removeFirst() }
        guard let first = heap.first else { return -1 }
        let nanoseconds = (first.time - now).nanoseconds
        guard nanoseconds > 0 else { return 0 }
        return Int32(min((nanoseconds - 1) / 1_000_000 + 1, 3_600_000))
    }

    private mutating func sweep() {
        let live = heap.filter { !$0.timer.isCancelled }
        heap.removeAll(keepingCapacity: true)
        for entry in live {
            heap.append(entry)
            siftUp(from: heap.count - 1)
        }
        insertionsUntilSweep = max(1024, heap.count)
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(parent, child)
            parent = child
        }
    }

    private mutating func siftUp(from index: Int) {
        var index = index
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].isBefore(heap[parent]) else { return }
            heap.swapAt(index, parent)
            index = parent
        }
    }
}

/// A pending timer of an ``EventLoop``, confined to the loop's thread. Releasing it does not cancel
/// it.
public final class LoopTimer {
    private var body: (() -> Void)?

    package init(_ body: @escaping () -> Void) {
        self.body = body
    }

    /// Cancels the timer: it will not fire. Cancelling twice, or after it has fired, does nothing.
    public func cancel() {
        body = nil
    }

    var isCancelled: Bool {
        body == nil
    }

    package func fire() {
        let body = body
        self.body = nil
        body?()
    }
}

/// Timers by time. Those due at the same time fire in the order in which they were made.
struct TimerQueue {
    private var heap = DeadlineHeap<LoopTimer>()
    /// Cancelled timers stay in the heap. When they may be the majority they are removed.
    private var insertionsUntilSweep = 1024

    /// How many timers are held, cancelled ones included.
    var count: Int { heap.count }

    mutating func insert(_ timer: LoopTimer, at time: MonotonicTime) {
        insertionsUntilSweep -= 1
        if insertionsUntilSweep == 0 { sweep() }
        heap.insert(timer, at: time)
    }

    /// Removes and returns the timers due at `now`, in order. The caller fires them, because a
    /// timer may make another one.
    mutating func takeDue(now: MonotonicTime) -> [LoopTimer] {
        guard let first = heap.firstTime, first <= now else { return [] }
        var due: [LoopTimer] = []
        while let timer = heap.popFirst(dueAt: now) { due.append(timer) }
        return due
    }

    /// Milliseconds until the next timer, rounded up so that it is due then; -1 when there is none.
    mutating func timeoutMilliseconds(now: MonotonicTime) -> Int32 {
        while let first = heap.first, first.value.isCancelled { heap.removeFirst() }
        guard let first = heap.first else { return -1 }
        let nanoseconds = (first.time - now).nanoseconds
        guard nanoseconds > 0 else { return 0 }
        return Int32(min((nanoseconds - 1) / 1_000_000 + 1, 3_600_000))
    }

    private mutating func sweep() {
        heap.removeAll { $0.isCancelled }
        insertionsUntilSweep = max(1024, heap.count)
    }
}

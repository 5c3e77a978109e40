import Testing

@testable import Transport

/// An actor that lives on the loop, as every driver does.
actor Pinned {
    nonisolated let loop: EventLoop
    private var events: [String] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) {
        self.loop = loop
    }

    var isOnLoop: Bool { loop.isCurrent }

    func eventsOfTimers(after delays: [Duration], cancelling cancelled: Int?) async -> [String] {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            var timers: [LoopTimer] = []
            for (index, delay) in delays.enumerated() {
                timers.append(
                    loop.schedule(after: delay) {
                        self.assumeIsolated { $0.events.append("timer \(index)") }
                    })
            }
            if let cancelled { timers[cancelled].cancel() }
            let last = delays.max() ?? .zero
            loop.schedule(after: last + .milliseconds(5)) { done.resume() }
        }
        return events
    }

    func offloadAndReturn() async -> (offLoop: Bool, backOnLoop: Bool) {
        let loop = loop
        let offLoop = await offload { !loop.isCurrent }
        return (offLoop, loop.isCurrent)
    }
}

@Suite struct EventLoopTests {
    let loop: EventLoop

    init() throws {
        loop = try .onOwnThread()
    }

    @Test func `an actor pinned to the loop runs on its thread`() async {
        #expect(await Pinned(loop: loop).isOnLoop)
        loop.stop()
    }

    @Test func `a task that prefers the loop stays on it across a suspension`() async {
        let loop = loop
        let isOnLoop = await Task(executorPreference: loop) {
            await loop.sleep(for: .milliseconds(1))
            return loop.isCurrent
        }.value
        #expect(isOnLoop)
        loop.stop()
    }

    @Test func `timers fire in the order of their times, and not once cancelled`() async {
        let events = await Pinned(loop: loop).eventsOfTimers(
            after: [.milliseconds(9), .milliseconds(3), .milliseconds(6), .milliseconds(3)],
            cancelling: 2)
        #expect(events == ["timer 1", "timer 3", "timer 0"])
        loop.stop()
    }

    @Test func `blocking work leaves the loop and comes back to it`() async {
        let (offLoop, backOnLoop) = await Pinned(loop: loop).offloadAndReturn()
        #expect(offLoop)
        #expect(backOnLoop)
        loop.stop()
    }

    @Test func `a cancelled sleep ends at once`() async {
        let loop = loop
        let task = Task(executorPreference: loop) { await loop.sleep(for: .seconds(3600)) }
        task.cancel()
        await task.value
        loop.stop()
    }

    @Test func `jobs from other threads all run`() async {
        let loop = loop
        let tally = Tally()
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<2_000 {
                        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                            loop.execute {
                                tally.count.withLock { $0 += 1 }
                                done.resume()
                            }
                        }
                    }
                }
            }
        }
        #expect(tally.count.withLock { $0 } == 8_000)
        loop.stop()
    }
}

final class Tally: Sendable {
    let count = Guarded(0)
}

@Suite struct TimerQueueTests {
    @Test func `the queue is ordered whatever the order of insertion`() {
        var queue = TimerQueue()
        var order: [Int] = []
        var random = SystemRandomNumberGenerator()
        for index in (0..<500).shuffled(using: &random) {
            queue.insert(
                LoopTimer { order.append(index) },
                at: MonotonicTime(nanoseconds: Int64(index / 2)))
        }
        for timer in queue.takeDue(now: MonotonicTime(nanoseconds: 1_000)) { timer.fire() }
        #expect(order.map { $0 / 2 } == (0..<500).map { $0 / 2 })
    }

    @Test func `the wait is rounded up, so that the timer is due when it ends`() {
        var queue = TimerQueue()
        #expect(queue.timeoutMilliseconds(now: MonotonicTime(nanoseconds: 0)) == -1)
        let timer = LoopTimer {}
        queue.insert(timer, at: MonotonicTime(nanoseconds: 1_000_001))
        #expect(queue.timeoutMilliseconds(now: MonotonicTime(nanoseconds: 0)) == 2)
        #expect(queue.timeoutMilliseconds(now: MonotonicTime(nanoseconds: 1_000_001)) == 0)
        timer.cancel()
        #expect(queue.timeoutMilliseconds(now: MonotonicTime(nanoseconds: 0)) == -1)
    }

    @Test func `cancelled timers do not pile up`() {
        var queue = TimerQueue()
        for index in 0..<100_000 {
            let timer = LoopTimer {}
            queue.insert(timer, at: MonotonicTime(nanoseconds: Int64(index) + 1_000_000))
            timer.cancel()
        }
        #expect(queue.count <= 2_048)
    }
}

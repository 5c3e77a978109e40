import Testing
import Transport

@testable import Notifications

@Suite struct NotificationQueueTests {
    private func event(_ number: Int) -> NotificationEvent {
        NotificationEvent(.test, host: "h", subject: "test", mark: "\(number)", at: 1)
    }

    @Test func `events leave in order, and pauses double up to five minutes`() {
        var queue = NotificationQueue()
        let now = MonotonicTime.now
        #expect(queue.next(now: now) == .idle)
        for number in 1...2 { #expect(queue.add(event(number), now: now) == nil) }
        #expect(queue.next(now: now) == .send(event(1)))
        var time = now
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            #expect(queue.failed(now: time, jitter: 1) == nil)
            let end = time + .seconds(seconds)
            #expect(queue.next(now: time) == .wait(until: end))
            time = end
            #expect(queue.next(now: time) == .send(event(1)))
        }
        queue.ended(isDelivered: true)
        #expect(queue.next(now: time) == .send(event(2)))
        #expect(queue.failed(now: time, jitter: 0.5, least: .seconds(9_999)) == nil)
        #expect(queue.next(now: time) == .wait(until: time + .seconds(300)))
        #expect(queue.droppedCount == 0)
    }

    @Test func `the oldest makes room, but for the one that is being sent`() {
        var queue = NotificationQueue()
        let now = MonotonicTime.now
        for number in 0..<NotificationQueue.maximumCount {
            #expect(queue.add(event(number), now: now) == nil)
        }
        #expect(queue.add(event(1_000), now: now) == event(0))
        #expect(queue.next(now: now) == .send(event(1)))
        #expect(queue.add(event(1_001), now: now) == event(2))
        #expect(queue.count == NotificationQueue.maximumCount && queue.droppedCount == 2)
    }

    @Test func `what could not be told for six hours is given up`() {
        var queue = NotificationQueue()
        let now = MonotonicTime.now
        _ = queue.add(event(1), now: now)
        _ = queue.next(now: now)
        let later = now + .seconds(6 * 3_600 + 1)
        #expect(queue.failed(now: later, jitter: 1) == event(1))
        #expect(queue.next(now: later) == .idle && queue.droppedCount == 1)
    }
}

import Glibc
import Testing
import Transport

struct TurnTimesTests {
    @Test func `each time is in the class of the first bound that it does not exceed`() {
        var times = TurnTimes()
        times.add(.zero)
        times.add(.microseconds(500))
        times.add(.microseconds(501))
        times.add(.seconds(1))
        times.add(.seconds(2))
        #expect(times.counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1])
        #expect(times.sum == .seconds(3) + .microseconds(1001))
    }

    @Test func `a loop counts how long its turns take, and not what it waits`() async throws {
        let start = MonotonicTime.now
        let loop = try EventLoop.onOwnThread()
        await Task(executorPreference: loop) {
            let end = MonotonicTime.now + .milliseconds(60)
            while MonotonicTime.now < end {}
            await loop.sleep(for: .milliseconds(300))
        }.value
        let times = await Task(executorPreference: loop) { loop.turnTimes }.value
        let bound = try #require(TurnTimes.bounds.firstIndex(of: .milliseconds(50)))
        #expect(times.counts[(bound + 1)...].reduce(0, +) >= 1)
        #expect(times.sum >= .milliseconds(60))
        #expect(times.sum < MonotonicTime.now - start - .milliseconds(290))
        loop.stop()
    }
}

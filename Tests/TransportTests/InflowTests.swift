import Testing

@testable import Transport

@Suite struct InflowTests {
    private func time(_ microseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0) + .microseconds(microseconds)
    }

    @Test func `a loop that has read nothing, or little, waits`() {
        var inflow = Inflow()
        #expect(inflow.next(now: time(0)) == .block)
        inflow.received(byteCount: 100)
        #expect(inflow.next(now: time(1)) == .block)
    }

    @Test func `after much it looks for more before it waits, once`() {
        var inflow = Inflow()
        inflow.received(byteCount: 6 << 10)
        inflow.received(byteCount: 2 << 10)
        #expect(inflow.next(now: time(5)) == .look(until: time(35)))
        #expect(inflow.next(now: time(35)) == .block)
    }

    @Test func `small messages gather once many have come one after the other`() {
        var inflow = Inflow()
        for turn in 1..<Inflow.streakLength {
            inflow.received(byteCount: 40)
            #expect(inflow.next(now: time(turn * 10)) == .block)
        }
        inflow.received(byteCount: 40)
        #expect(inflow.next(now: time(400)) == .gather(until: time(420)))
        // A pause is the end of a stream.
        inflow.received(byteCount: 40)
        #expect(inflow.next(now: time(501)) == .block)
    }

    @Test func `who answers does not let anything wait`() {
        var inflow = Inflow()
        for turn in 1...100 {
            inflow.received(byteCount: 40)
            inflow.sent()
            #expect(inflow.next(now: time(turn * 10)) == .block)
        }
        inflow.received(byteCount: 1 << 20)
        inflow.sent()
        #expect(inflow.next(now: time(2000)) == .block)
    }

    @Test func `for a handshake's answer it looks before it waits, once`() {
        var inflow = Inflow()
        inflow.expectAnswer()
        inflow.sent()
        #expect(inflow.next(now: time(0)) == .look(until: time(50)))
        #expect(inflow.next(now: time(50)) == .block)
    }
}

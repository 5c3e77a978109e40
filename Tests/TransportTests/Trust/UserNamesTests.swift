import Dispatch
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct UserNamesTests {
    @Test func `a name is looked up once`() {
        let count = Guarded(0)
        let names = UserNames { id in
            count.withLock { $0 += 1 }
            return "user \(id)"
        }
        for _ in 0..<3 { #expect(names.text(5) == "user 5") }
        #expect(names.text(6) == "user 6")
        #expect(count.withLock { $0 } == 2)
    }

    @Test func `a service that does not answer holds up nobody for long, and one thread`() {
        let count = Guarded(0)
        let answer = DispatchSemaphore(value: 0)
        let names = UserNames(limit: .milliseconds(50)) { id in
            count.withLock { $0 += 1 }
            answer.wait()
            return "user \(id)"
        }
        let begin = MonotonicTime.now
        for id: UInt32 in 0..<1000 { #expect(names.text(id) == "uid \(id)") }
        // Each would have waited for itself.
        #expect(MonotonicTime.now - begin < .seconds(20))
        #expect(count.withLock { $0 } == 1)
        // What it answers at last is remembered.
        answer.signal()
        while names.text(0) != "user 0" {}
        answer.signal()
        while names.text(7) != "user 7" {}
        #expect(count.withLock { $0 } == 2)
    }
}

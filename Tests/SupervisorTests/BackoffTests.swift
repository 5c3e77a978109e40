import Testing

@testable import Supervisor

@Suite struct BackoffTests {
    @Test func `the delay starts at 1 s and doubles to 60 s`() {
        let backoff = Backoff()
        let delays = (1...9).map { backoff.delay(consecutiveCrashes: $0) }
        #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { Duration.seconds($0) })
    }

    @Test func `no count overflows`() {
        #expect(Backoff().delay(consecutiveCrashes: .max) == .seconds(60))
        #expect(Backoff(first: .zero).delay(consecutiveCrashes: .max) == .zero)
    }

    @Test func `a count below 1 waits like the first crash`() {
        #expect(Backoff().delay(consecutiveCrashes: 0) == .seconds(1))
        #expect(Backoff().delay(consecutiveCrashes: .min) == .seconds(1))
    }

    @Test func `a first delay above the maximum is the maximum`() {
        let backoff = Backoff(first: .seconds(90), maximum: .seconds(5))
        #expect(backoff.delay(consecutiveCrashes: 1) == .seconds(5))
    }
}

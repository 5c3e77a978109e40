import Testing

@testable import ErlDist

struct ReportMemoryTests {
    @Test func `a cause is told once for each source`() {
        var memory = ReportMemory()
        #expect(memory.record("x", of: "a") == .tell)
        #expect(memory.record("x", of: "a") == .leaveOut)
        #expect(memory.record("x", of: "b") == .tell)
        #expect(memory.record("y", of: "a") == .tell)
    }

    @Test func `who varies the cause is told of a few times, the last one marked`() {
        var memory = ReportMemory()
        let verdicts = (1...1000).map { memory.record("length \($0)", of: "a") }
        #expect(verdicts.filter { $0 == .tell }.count == ReportMemory.causesPerSource - 1)
        #expect(verdicts.firstIndex(of: .tellAsLast) == ReportMemory.causesPerSource - 1)
        #expect(verdicts.filter { $0 == .tellAsLast }.count == 1)
        #expect(memory.record("x", of: "b") == .tell)
    }
}

import Testing

@testable import Supervisor

private func process(
    _ pid: Int32, parent: Int32, session: Int32, ticks: UInt64, pages: Int = 10,
    start: UInt64 = 1
) -> ProcessStatus {
    ProcessStatus(
        pid: pid, name: "p", state: UInt8(ascii: "S"), parent: parent, session: session,
        startTicks: start, processorTicks: ticks, residentPageCount: pages)
}

private let name = InstanceName(app: "counter", number: 1)
private let leaders = [name: ProcessIdentity(pid: 100, startTicks: 1, bootID: "b")]

@Suite struct UsageMeterTests {
    private var meter = UsageMeter(ticksPerSecond: 100, pageByteCount: 4096)

    @Test mutating func `an instance uses what its session and its descendants use`() {
        let all = [
            process(100, parent: 1, session: 100, ticks: 50),
            process(101, parent: 100, session: 100, ticks: 10),
            // A port program in its own session, and what it has started.
            process(102, parent: 101, session: 102, ticks: 0),
            process(103, parent: 102, session: 102, ticks: 0),
            // Others.
            process(200, parent: 1, session: 200, ticks: 1000),
            process(300, parent: 1, session: 300, ticks: 1000),
        ]
        let first = meter.measure(leaders, among: all, at: 10)
        #expect(
            first == [name: InstanceUsage(processorPercent: nil, memoryByteCount: 4 * 10 * 4096)])
        var later = all
        later[0].processorTicks += 100
        later[2].processorTicks += 50
        later[4].processorTicks += 500
        later[1].residentPageCount = 20
        let second = meter.measure(leaders, among: later, at: 12)
        #expect(
            second == [name: InstanceUsage(processorPercent: 75, memoryByteCount: 50 * 4096)])
    }

    @Test mutating func `processes that come and go do not make it negative or too much`() {
        _ = meter.measure(
            leaders,
            among: [
                process(100, parent: 1, session: 100, ticks: 50),
                process(101, parent: 100, session: 100, ticks: 5000),
            ], at: 0)
        let found = meter.measure(
            leaders,
            among: [
                process(100, parent: 1, session: 100, ticks: 60),
                // The pid again, another process.
                process(101, parent: 100, session: 100, ticks: 20, start: 9),
            ], at: 1)
        #expect(found[name]?.processorPercent == 30)
    }

    @Test mutating func `a pid that another process has now is not the instance`() {
        let all = [process(100, parent: 1, session: 100, ticks: 50, start: 7)]
        #expect(meter.measure(leaders, among: all, at: 0) == [:])
        #expect(meter.measure(leaders, among: [], at: 1) == [:])
    }
}

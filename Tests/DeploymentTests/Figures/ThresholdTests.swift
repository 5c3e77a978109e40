import Supervisor
import Testing
import Transport

@testable import Deployment

@Suite struct ThresholdTests {
    private let start = MonotonicTime.now

    private func atoms(_ percents: [Int: Double]) -> [InstanceNumber: ThresholdWatch.Sample] {
        Dictionary(
            uniqueKeysWithValues: percents.map {
                (InstanceNumber($0.key), .init(percents: [.atoms: $0.value]))
            })
    }

    private func all(_ count: Int) -> Set<InstanceNumber> { Set(InstanceNumber.first(count)) }

    @Test func `a crossing is said once, and has to go back some way before it is said again`() {
        var watch = ThresholdWatch([.atoms: Threshold(warn: 75)])
        func look(_ percent: Double) -> [ThresholdWatch.Action] {
            watch.sampled(atoms([1: percent]), ready: all(2), isWhole: true, now: start)
        }
        #expect(look(74.9).isEmpty)
        #expect(look(75) == [.report(1, .atoms, percent: 75, .warn)])
        #expect(look(99).isEmpty)
        #expect(look(70.1).isEmpty)
        #expect(watch.states(of: 1).map(\.level) == ["warn"])
        #expect(look(69.9) == [.report(1, .atoms, percent: 69.9, .ok)])
        #expect(look(74).isEmpty)
        #expect(look(80) == [.report(1, .atoms, percent: 80, .warn)])
        #expect(watch.warningCounts[1]?[.atoms] == 2)
        #expect(watch.restartCounts.isEmpty)
    }

    @Test func `an instance over its limit is restarted, where that is configured`() {
        var watch = ThresholdWatch([.atoms: Threshold(warn: 75, restart: 90)])
        let actions = watch.sampled(
            atoms([1: 50, 2: 91]), ready: all(2), isWhole: true, now: start)
        #expect(
            actions == [
                .report(2, .atoms, percent: 91, .restart), .restart(2, .atoms, percent: 91),
            ])
        #expect(watch.restartCounts[2]?[.atoms] == 1)
        #expect(watch.warningCounts[2]?[.atoms] == 1)
        var gentle = ThresholdWatch([.atoms: Threshold(warn: 75)])
        let warned = gentle.sampled(
            atoms([1: 50, 2: 100]), ready: all(2), isWhole: true, now: start)
        #expect(warned == [.report(2, .atoms, percent: 100, .warn)])
    }

    @Test func `the last ready instance is never restarted, nor any while another is not ready`() {
        var watch = ThresholdWatch([.atoms: Threshold(warn: 75, restart: 90)])
        func restarts(_ ready: Set<InstanceNumber>, _ isWhole: Bool) -> Bool {
            watch.sampled(atoms([1: 95, 2: 95]), ready: ready, isWhole: isWhole, now: start)
                .contains { if case .restart = $0 { true } else { false } }
        }
        #expect(!restarts([1], true))
        #expect(!restarts([], true))
        #expect(!restarts([1, 2], false))
        #expect(!restarts([3, 4], true))
        #expect(restarts([1, 2], true))
    }

    @Test func `one is restarted at a time, and none again within a while`() {
        var watch = ThresholdWatch([.processes: Threshold(warn: 75, restart: 90)])
        func look(after seconds: Int) -> [Int] {
            let sample = ThresholdWatch.Sample(percents: [.processes: 95])
            return watch.sampled(
                [1: sample, 2: sample], ready: all(2), isWhole: true,
                now: start + .seconds(seconds)
            ).compactMap { if case .restart(let number, _, _) = $0 { number.value } else { nil } }
        }
        #expect(look(after: 0) == [1])
        #expect(look(after: 30) == [])
        #expect(look(after: 119) == [])
        #expect(look(after: 120) == [2])
        #expect(look(after: 600) == [])
        #expect(look(after: 1799) == [])
        #expect(look(after: 1800) == [1])
        #expect(look(after: 1919) == [])
        #expect(look(after: 1920) == [2])
    }

    @Test func `a restart that was refused counts as none, and is tried again after a pause`() {
        var watch = ThresholdWatch([.ports: Threshold(warn: 75, restart: 90)])
        func look(after seconds: Int) -> ThresholdWatch.Action? {
            let sample = ThresholdWatch.Sample(percents: [.ports: 95])
            return watch.sampled(
                [1: sample], ready: all(2), isWhole: true, now: start + .seconds(seconds)
            ).last
        }
        #expect(look(after: 0) == .restart(1, .ports, percent: 95))
        #expect(watch.states(of: 1).first?.restarts == 1)
        watch.refused(1, .ports)
        #expect(watch.states(of: 1).first?.restarts == 0)
        #expect(look(after: 60) == nil)
        #expect(look(after: 120) == .restart(1, .ports, percent: 95))
        #expect(watch.states(of: 1).first?.warnings == 1)
    }

    @Test func `when the host's memory is over, the largest is restarted`() {
        var watch = ThresholdWatch([.memory: Threshold(warn: 75, restart: 90)])
        let samples: [InstanceNumber: ThresholdWatch.Sample] = [
            1: .init(percents: [.memory: 95], memoryByteCount: 10),
            2: .init(percents: [.memory: 95], memoryByteCount: 30),
            3: .init(percents: [.memory: 95], memoryByteCount: 20),
        ]
        let actions = watch.sampled(samples, ready: all(3), isWhole: true, now: start)
        #expect(actions.last == .restart(2, .memory, percent: 95))
        #expect(actions.count == 4)
    }

    @Test func `of an instance that does not answer only the figures are forgotten`() {
        var watch = ThresholdWatch([.atoms: Threshold(warn: 75)])
        _ = watch.sampled(atoms([1: 80]), ready: all(2), isWhole: true, now: start)
        _ = watch.sampled([:], ready: all(2), isWhole: true, now: start)
        #expect(watch.states(of: 1).isEmpty)
        #expect(watch.warningCounts[1]?[.atoms] == 1)
        let again = watch.sampled(atoms([1: 80]), ready: all(2), isWhole: true, now: start)
        // It was told of already; its end is told, too.
        #expect(again == [])
        let restarted = watch.sampled(atoms([1: 10]), ready: all(2), isWhole: true, now: start)
        #expect(restarted == [.report(1, .atoms, percent: 10, .ok)])
    }

    @Test func `what is not configured is not watched`() {
        var watch = ThresholdWatch([:])
        #expect(watch.isIdle)
        let actions = watch.sampled(atoms([1: 100]), ready: all(2), isWhole: true, now: start)
        #expect(actions.isEmpty && watch.states(of: 1).isEmpty)
    }
}

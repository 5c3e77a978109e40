internal import Foundation
internal import Simulation

/// Runs many seeds, on all processors, until one fails.
struct SeedRuns {
    var first: UInt64
    var count: UInt64
    /// Whether to go on after a failure, and to list what has failed in the end.
    var goesOn = false

    private struct Totals {
        var stepCount = 0
        var operationCount = 0
        var seedCount: UInt64 = 0
        var failures: [SimulationRun.Outcome] = []
    }

    /// Whether all of them were good.
    func run() async -> Bool {
        let begin = ContinuousClock.now
        var totals = Totals()
        let batch: UInt64 = 50
        await withTaskGroup(of: [SimulationRun.Outcome].self) { group in
            var next = first
            func add() {
                guard next < first + count, goesOn || totals.failures.isEmpty else { return }
                let seeds = next..<min(next + batch, first + count)
                next = seeds.upperBound
                group.addTask { seeds.map { SimulationRun.run(seed: $0) } }
            }
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount { add() }
            for await outcomes in group {
                for outcome in outcomes {
                    totals.seedCount += 1
                    totals.stepCount += outcome.stepCount
                    totals.operationCount += outcome.diskOperationCount
                    if outcome.violation != nil { totals.failures.append(outcome) }
                }
                if totals.seedCount % 1000 == 0 { progress(totals, since: begin) }
                add()
            }
        }
        progress(totals, since: begin)
        if goesOn {
            list(totals.failures)
            return totals.failures.isEmpty
        }
        guard let failure = totals.failures.min(by: { $0.seed < $1.seed }) else { return true }
        let replayed = SimulationRun.run(seed: failure.seed, isTraced: true)
        for line in replayed.trace.lines.suffix(200) { print(line) }
        print("seed \(failure.seed) fails: \(replayed.violation ?? "not again")")
        print("all of it: make simulate SEED=\(failure.seed)")
        return false
    }

    /// Failures that read alike, without their numbers, are one kind.
    private func list(_ failures: [SimulationRun.Outcome]) {
        var kinds: [String: [SimulationRun.Outcome]] = [:]
        for failure in failures {
            let kind = (failure.violation ?? "").prefix(300).filter { !$0.isNumber }
            kinds[String(kind.prefix(90)), default: []].append(failure)
        }
        for alike in kinds.values.sorted(by: { $0.count > $1.count }) {
            let seeds = alike.sorted { $0.seed < $1.seed }
            print("\(alike.count): \(seeds[0].violation?.prefix(400) ?? "")")
            let numbers = seeds.prefix(20).map { "\($0.seed)" }.joined(separator: " ")
            print("  seeds \(numbers)")
        }
    }

    private func progress(_ totals: Totals, since begin: ContinuousClock.Instant) {
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        print(
            "\(totals.seedCount) seeds, \(totals.stepCount) steps, \(totals.operationCount) disk "
                + "operations in \(Int(seconds)) s, \(totals.failures.count) failed")
        fflush(nil)
    }
}

import Simulation
import Testing

@Suite struct SimulationTests {
    /// `make simulate` runs 20,000 of them.
    @Test func `whatever goes wrong, the invariants hold and everything comes right`() {
        for seed in UInt64(1)...60 {
            let outcome = SimulationRun.run(seed: seed)
            #expect(outcome.violation == nil, "seed \(seed)")
            #expect(outcome.stepCount > 50)
        }
    }

    @Test(arguments: Sabotage.allCases)
    func `a planted bug is found`(sabotage: Sabotage) throws {
        let outcome = try #require(SimulationRun.find(sabotage, limit: 300))
        // The bug is what was found, not something that goes wrong without it.
        #expect(SimulationRun.run(seed: outcome.seed).violation == nil)
    }

    @Test func `a seed does the same every time, traced or not`() {
        for seed: UInt64 in [3, 14] {
            let runs = [true, true, false].map { SimulationRun.run(seed: seed, isTraced: $0) }
            #expect(runs[0].trace.lines == runs[1].trace.lines)
            #expect(runs[0].trace.digest == runs[2].trace.digest)
            #expect(runs[0].trace.lines.count > 100)
        }
        #expect(
            SimulationRun.run(seed: 3).trace.digest != SimulationRun.run(seed: 4).trace.digest)
    }
}

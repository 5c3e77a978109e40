/// Runs of the simulated world.
package enum SimulationRun {
    package struct Outcome: Sendable {
        package var seed: UInt64
        /// What went wrong; `nil` when nothing did.
        package var violation: String?
        package var stepCount: Int
        package var diskOperationCount: Int
        package var trace: Trace
    }

    /// Runs one seed to its end.
    /// - Parameter isTraced: whether the trace is kept; it changes nothing else.
    package static func run(
        seed: UInt64, sabotage: Sabotage? = nil, isTraced: Bool = false
    ) -> Outcome {
        let world = SimulatedWorld(seed: seed, sabotage: sabotage, isTraced: isTraced)
        world.run()
        return Outcome(
            seed: seed, violation: world.invariants.violation, stepCount: world.stepCount,
            diskOperationCount: world.disk.operationCount, trace: world.trace)
    }

    /// The first of the seeds 1 to `limit` that finds the bug; `nil` when none does.
    package static func find(_ sabotage: Sabotage, limit: UInt64) -> Outcome? {
        for seed in 1...limit {
            let outcome = run(seed: seed, sabotage: sabotage)
            if outcome.violation != nil { return outcome }
        }
        return nil
    }
}

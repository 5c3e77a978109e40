/// A place at which deployex, or the host, stops, and how.
package struct CrashPoint: CustomStringConvertible, Sendable {
    package var operation: Int
    package var progress: DiskFault.Progress
    package var ending: SimulatedDisk.Ending
    package var seed: UInt64

    package var description: String {
        "stopped at disk operation \(operation) (\(progress) of it done), \(ending), seed \(seed)"
    }

    /// Each of the first `count` operations, before it, in the middle of it and after it; each with a
    /// kill and with power cuts of every kind, these with `seedCount` seeds.
    static func all(operationCount count: Int, seedCount: Int) -> [CrashPoint] {
        guard count > 0 else { return [] }
        return (1...count).flatMap { operation in
            DiskFault.Progress.allCases.flatMap { progress in
                let cuts = DiskImage.Survival.allCases.flatMap { survival in
                    (1...seedCount).map { (SimulatedDisk.Ending.powerCut(survival), $0) }
                }
                return ([(.kill, 1)] + cuts).map { ending, seed in
                    CrashPoint(
                        operation: operation, progress: progress, ending: ending,
                        seed: UInt64(seed))
                }
            }
        }
    }
}

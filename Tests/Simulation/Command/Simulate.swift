internal import Foundation
internal import Simulation

/// `deployex-simulate seeds N [FIRST]`, `deployex-simulate survey N [FIRST]`,
/// `deployex-simulate seed K`, `deployex-simulate crashes`,
/// `deployex-simulate bugs`
@main struct Simulate {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let isGood: Bool
        switch (arguments.first, arguments.dropFirst().compactMap { UInt64($0) }) {
        case ("seeds", let numbers) where (1...2).contains(numbers.count):
            isGood = await SeedRuns(first: numbers.count == 2 ? numbers[1] : 1, count: numbers[0])
                .run()
        case ("survey", let numbers) where (1...2).contains(numbers.count):
            isGood = await SeedRuns(
                first: numbers.count == 2 ? numbers[1] : 1, count: numbers[0], goesOn: true
            ).run()
        case ("seed", let numbers) where numbers.count == 1:
            isGood = replay(numbers[0])
        case ("crashes", []): isGood = try explore()
        case ("bugs", []): isGood = findBugs()
        default:
            FileHandle.standardError.write(
                Data(
                    "usage: deployex-simulate seeds|survey N [FIRST] | seed K | crashes | bugs\n"
                        .utf8))
            exit(2)
        }
        if !isGood { exit(1) }
    }

    private static func replay(_ seed: UInt64) -> Bool {
        let outcome = SimulationRun.run(seed: seed, isTraced: true)
        for line in outcome.trace.lines { print(line) }
        print("seed \(seed): \(outcome.violation ?? "nothing went wrong")")
        return outcome.violation == nil
    }

    private static func explore() throws -> Bool {
        var isGood = true
        for change in CrashExploration.Change.allCases {
            let exploration = try CrashExploration(change)
            let problems = exploration.sortedProblems
            print(
                "\(change.rawValue): \(exploration.pointCount) crash points, "
                    + "\(problems.reduce(0) { $0 + $1.count }) bad states")
            for problem in problems {
                isGood = false
                print("  \(problem.count) times: \(problem.text)\n    \(problem.example)")
            }
        }
        return isGood
    }

    private static func findBugs() -> Bool {
        var isGood = true
        for sabotage in Sabotage.allCases {
            if let outcome = SimulationRun.find(sabotage, limit: 2_000) {
                print("\(sabotage): seed \(outcome.seed): \(outcome.violation ?? "")")
            } else {
                isGood = false
                print("\(sabotage): not found")
            }
        }
        return isGood
    }
}

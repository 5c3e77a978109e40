import Simulation
import Testing

@Suite struct CrashExplorationTests {
    /// `deployex-simulate crashes` tries four power cuts of each kind where this tries one.
    @Test(arguments: CrashExploration.Change.allCases)
    func `wherever a change is cut off, a start finds one whole release and what it is`(
        change: CrashExploration.Change
    ) throws {
        let exploration = try CrashExploration(change, seedCount: 1)
        #expect(exploration.sortedProblems == [])
        #expect(exploration.pointCount > 300)
    }

    @Test(arguments: [Sabotage.promotesInTwoSteps, .stagesWithoutSync])
    func `a change that is not made in one step is found`(sabotage: Sabotage) throws {
        let exploration = try CrashExploration(.fullDeployment, seedCount: 1, sabotage: sabotage)
        #expect(!exploration.sortedProblems.isEmpty)
    }
}

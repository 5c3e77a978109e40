internal import Deployment
internal import TestKit

/// What a seed lets happen: not everything at once, or nothing would ever get anywhere.
struct Scenario {
    static let application = "counter"
    static let versions = ["0.1.0", "0.1.1", "0.1.2", "0.1.3"]

    var configuration: EngineConfiguration
    /// After this nothing goes wrong any more.
    var calmAfter: Duration
    var faults: [Fault: Int] = [:]
    /// How often each fault strikes, in mean seconds; those that are not here do not.
    enum Fault: String, CaseIterable {
        case killsDeployex, detachesDeployex, cutsPower
        case failsDisk, fillsDisk, damagesState
        case killsInstances, freezesInstances, losesDistribution, rebootsNodes, startsStrangers
        case breaksStore, publishes, commands
        case removesFolders, leavesSessions
    }

    /// Shares in a hundred.
    var badReleases: Int
    var brokenPackages: Int
    var hotUpgrades: Int
    var failingUpgrades: Int
    var stubbornProcesses: Int
    var preCommands: Int
    /// Whether the last release published works.
    var endsWell: Bool
    /// Whether everything is stopped in the end.
    var endsStopped: Bool

    init(using random: inout SeededRandom) {
        var timings = EngineConfiguration.Timings()
        timings.pollInterval = .seconds(random.pick([2, 5]))
        timings.stopTimeout = .seconds(random.pick([2, 5]))
        timings.readyTimeout = .seconds(random.pick([20, 40]))
        timings.readinessInterval = .milliseconds(random.pick([200, 500]))
        timings.livenessInterval = .seconds(random.pick([1, 3]))
        timings.livenessFailures = random.pick([3, 5])
        timings.maximumCrashes = random.int(1...3)
        timings.maximumRetryDelay = .seconds(40)
        timings.preCommandTimeout = .seconds(20)
        configuration = EngineConfiguration(
            application: Self.application, replicas: random.int(1...3), timings: timings)
        calmAfter = .seconds(random.int(40...160))
        badReleases = random.pick([0, 20, 50])
        brokenPackages = random.pick([0, 10])
        hotUpgrades = random.pick([0, 50, 100])
        failingUpgrades = random.pick([0, 10, 40])
        stubbornProcesses = random.pick([0, 20])
        preCommands = random.pick([0, 30])
        endsWell = random.chance(75)
        endsStopped = random.chance(25)
        for fault in Fault.allCases where random.chance(45) {
            faults[fault] = random.pick([5, 20, 60])
        }
        // Without these a run is about nothing.
        faults[.publishes] = random.pick([15, 40])
    }
}

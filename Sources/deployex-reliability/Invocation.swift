internal import TestKit

/// What `deployex-reliability` is asked to do.
enum Invocation {
    case measure(MeasureOptions)
    /// The part of ``Measure/reuse`` that runs in a pid namespace of its own.
    case tryReusedPIDs(count: Int)
    case help

    static let helpText = """
        usage: deployex-reliability [--quick] [--kills N] [--seed K] [--only MEASURE[,MEASURE…]]
                                    [--deployex FILE] [--packages FOLDER]

        Measures what docs/reliability.md promises, on real processes and real releases, and prints a
        line for each figure. The exit status is 1 when one of them is not met.

          --quick            some trials of everything, to see that it works
          --kills N          how often deployex is killed (1000)
          --seed K           chooses the moments of the kills (at random)
          --only MEASURES    some of: \(Measure.allCases.map(\.rawValue).joined(separator: ", "))
          --deployex FILE    the program under test (the one beside this)
          --packages FOLDER  where scripts/build-example.sh has put the packages
                             (.build/example-packages)
        """

    init(arguments: [String]) throws(CommandLineError) {
        var rest = Arguments(of: "deployex-reliability", arguments)
        var options = MeasureOptions()
        while let argument = rest.next() {
            switch argument {
            case ReusedPIDs.innerCommand:
                self = .tryReusedPIDs(count: try rest.number(for: argument))
                return
            case "--quick": options.effort = .quick
            case "--kills": options.effort.kills = try rest.number(for: argument)
            case "--seed": options.seed = UInt64(try rest.number(for: argument))
            case "--only": options.measures = try rest.measures()
            case "--deployex": options.deployex = try rest.text(for: argument)
            case "--packages": options.packages = try rest.text(for: argument)
            case "--help", "-h", "help":
                self = .help
                return
            default: throw rest.unknown(argument)
            }
        }
        self = .measure(options)
    }
}

/// What can be measured, in the order in which it is.
enum Measure: String, CaseIterable {
    case reuse, exits, steady, kills

    var summary: String {
        switch self {
        case .kills: "kills of deployex during deployments under load"
        case .reuse: "pids that have become a stranger's"
        case .exits: "from the end of an instance until deployex knows"
        case .steady: "frozen instances, memory, and an idle deployex"
        }
    }
}

struct MeasureOptions: Sendable {
    var effort = Effort.full
    var measures = Set(Measure.allCases)
    var seed = UInt64.random(in: 0 ... .max)
    var deployex: String?
    var packages = ".build/example-packages"
}

/// How much to measure.
struct Effort: Sendable {
    var kills: Int
    var reuseTrials: Int
    /// Ends of processes watched by a session, and of instances of a deployex.
    var exits: Int
    var freezes: Int
    /// How many instances there are when memory is looked at, and when the processor time is.
    var fewInstances: Int
    var idleInstances: Int
    var manyInstances: Int
    var idleTime: Duration

    static let full = Effort(
        kills: 1000, reuseTrials: 100_000, exits: 500, freezes: 20, fewInstances: 3,
        idleInstances: 10, manyInstances: 30, idleTime: .seconds(60))
    static let quick = Effort(
        kills: 20, reuseTrials: 2_000, exits: 40, freezes: 3, fewInstances: 1, idleInstances: 2,
        manyInstances: 3, idleTime: .seconds(5))
}

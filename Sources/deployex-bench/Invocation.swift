internal import ErlDist
internal import TestKit

/// What `deployex-bench` is asked to do.
enum Invocation {
    case measure(MeasureOptions)
    case idle(NodeOptions)
    case dial(NodeOptions)
    case help

    static let helpText = """
        usage: deployex-bench [--quick] [--json] [--unpinned] [--only MEASURE[,MEASURE…]] [--peers FOLDER]

        Measures calls, messages, connecting, the term codec, thousands of connections, an idle
        node, a busy dashboard and hot upgrades, mostly in turns with the same done by libei or by a BEAM, and prints both and their ratios.

          --quick          a few seconds, to see that everything works; the figures mean little
          --json           print the result as JSON
          --unpinned       let the kernel choose who runs where; without it the BEAM has all
                           processors but the first, which ours and libei's program have
          --only MEASURES  some of: \(Measure.allCases.map(\.rawValue).joined(separator: ", "))
          --peers FOLDER   where `make bench` puts what it measures against (.build/bench)

        `deployex-bench idle NAME EPMD-PORT [TICK-SECONDS [TLS-OPTIONS]]` is a node that does nothing,
        `deployex-bench dial NAME EPMD-PORT TICK-SECONDS COUNT [TLS-OPTIONS]` so many that are connected
        to it; each until its stdin ends.
        """

    init(arguments: [String]) throws(CommandLineError) {
        var rest = Arguments(of: "deployex-bench", arguments)
        var options = MeasureOptions()
        while let argument = rest.next() {
            switch argument {
            case "idle":
                self = .idle(try NodeOptions(&rest, counts: false))
                return
            case "dial":
                self = .dial(try NodeOptions(&rest, counts: true))
                return
            case "--quick": options.effort = .quick
            case "--json": options.json = true
            case "--unpinned": options.isPinned = false
            case "--only": options.measures = try rest.measures()
            case "--peers": options.peerFolder = try rest.text(for: argument)
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
    case calls, concurrency, small, connect, large, many, codec, idle, dashboard
    case hotUpgrade = "hot-upgrade"

    var summary: String {
        switch self {
        case .calls: "one call after another"
        case .concurrency: "64 calls in flight"
        case .small: "small messages"
        case .connect: "connecting"
        case .large: "messages with 1 MiB"
        case .many: "connections that tick"
        case .codec: "decoding and encoding"
        case .idle: "an idle node"
        case .dashboard: "the dashboard with all that it may have open"
        case .hotUpgrade: "hot upgrades"
        }
    }
}

struct MeasureOptions: Sendable {
    var effort = Effort.full
    var json = false
    /// Whether ours and the BEAM get processors of their own.
    var isPinned = true
    var measures = Set(Measure.allCases)
    var peerFolder = ".build/bench"
}

/// How long to measure. A round is one turn of ours and one of each peer.
struct Effort: Sendable {
    var rounds: Int
    /// Rounds of calls, which take short turns.
    var callRounds: Int
    /// Calls in one turn.
    var callCount: Int
    /// Small messages in one turn.
    var messageCount: Int
    /// Rounds of messages with 1 MiB, and such messages in one turn.
    var largeRounds: Int
    var largeMessageCount: Int
    /// Connections in one turn.
    var connectCount: Int
    var tlsConnectCount: Int
    /// Connections that are held.
    var manyConnections: Int
    /// How long one turn of a codec lasts, about.
    var codecTurn: Duration
    /// Nodes started of each kind.
    var nodeStarts: Int
    /// How long the dashboard is asked.
    var dashboardSeconds: Int
    var hotUpgradeRounds: Int

    static let full = Effort(
        rounds: 21, callRounds: 81, callCount: 250, messageCount: 30_000, largeRounds: 15,
        largeMessageCount: 32, connectCount: 40, tlsConnectCount: 5, manyConnections: 2000,
        codecTurn: .milliseconds(60), nodeStarts: 7, dashboardSeconds: 20, hotUpgradeRounds: 5)
    static let quick = Effort(
        rounds: 3, callRounds: 5, callCount: 100, messageCount: 5000, largeRounds: 3,
        largeMessageCount: 8, connectCount: 10, tlsConnectCount: 3, manyConnections: 100,
        codecTurn: .milliseconds(10), nodeStarts: 1, dashboardSeconds: 3, hotUpgradeRounds: 1)
}

/// What `idle` takes, and `dial` for the node that it connects to.
struct NodeOptions: Sendable {
    let name: String
    let epmdPort: UInt16
    let tickTime: Duration
    /// How many `dial` connects.
    let count: Int
    let tlsOptionsFile: String?

    /// - Parameter counts: whether a count comes after the seconds.
    init(_ arguments: inout Arguments, counts: Bool) throws(CommandLineError) {
        name = try arguments.text(for: "NAME")
        epmdPort = UInt16(clamping: try arguments.number(for: "EPMD-PORT"))
        tickTime = .seconds(arguments.isEmpty ? 60 : try arguments.number(for: "TICK-SECONDS"))
        count = counts ? try arguments.number(for: "COUNT") : 0
        tlsOptionsFile = arguments.next()
        if let unexpected = arguments.next() { throw arguments.unknown(unexpected) }
    }

    func configuration() throws -> Node.Configuration {
        var configuration = Node.Configuration()
        configuration.tickTime = tickTime
        // All that are dialled are to be held.
        configuration.maximumAcceptedConnections = 10_000
        if let tlsOptionsFile {
            configuration.tls = try DistributionTLS(optionsFile: tlsOptionsFile)
        }
        return configuration
    }
}

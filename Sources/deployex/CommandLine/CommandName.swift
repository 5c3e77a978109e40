/// The commands by the names that users type, with what they take.
enum CommandName: String, CaseIterable {
    case start, status, versions, deploy, rollback, unghost, restart, stop, logs, remote
    case ping, probe, rpc, names, epmd, completion, version, help

    /// Whether `--sname`, `--cookie` and Erlang's switches mean something.
    var usesDistribution: Bool {
        switch self {
        case .start, .status, .versions, .deploy, .rollback, .unghost, .restart, .stop, .logs,
            .remote, .ping, .probe, .rpc, .completion:
            true
        case .names, .epmd, .version, .help: false
        }
    }

    /// Whether it asks the deployex node for something, rather than any other.
    var asksDeployex: Bool {
        switch self {
        case .start, .status, .versions, .deploy, .rollback, .unghost, .restart, .stop, .logs,
            .remote, .completion:
            true
        case .ping, .probe, .rpc, .names, .epmd, .version, .help: false
        }
    }

    /// Whether it is about one application, which must be named where there are several.
    var concernsApplication: Bool {
        switch self {
        case .start, .versions, .deploy, .rollback, .unghost, .restart, .stop, .logs, .remote: true
        case .status, .ping, .probe, .rpc, .names, .epmd, .completion, .version, .help: false
        }
    }

    /// Whether it asks for something that takes its time, and waits until it is seen.
    var waits: Bool {
        switch self {
        case .start, .deploy, .rollback, .restart, .stop: true
        case .status, .versions, .unghost, .logs, .remote, .ping, .probe, .rpc, .names, .epmd,
            .completion, .version, .help:
            false
        }
    }

    /// How many arguments it takes, options not counted.
    var positionalCount: ClosedRange<Int> {
        switch self {
        case .status, .versions, .rollback, .epmd, .version: 0...0
        case .start, .stop, .remote, .names, .help: 0...1
        case .deploy, .unghost, .restart, .logs, .ping, .probe, .completion: 1...1
        case .rpc: 3...4
        }
    }

    struct Option {
        var name: String
        /// What stands for its value; `nil` for a flag.
        var value: String?
        var text: String

        init(_ name: String, _ value: String?, _ text: String) {
            self.name = name
            self.value = value
            self.text = text
        }
    }

    /// Other spellings of options.
    static let longOption = ["-f": "--follow", "-n": "--lines", "-daemon": "--daemon"]

    var options: [Option] {
        var options = ownOptions
        if concernsApplication {
            options.append(Option("--app", "APPLICATION", "which one, where there are several"))
        }
        if asksDeployex {
            options.append(
                Option("--node", "NODE", "the deployex node (default: deployex on this host)"))
        }
        if waits { options.append(Option("--no-wait", nil, "return as soon as it has begun")) }
        if usesDistribution {
            let own = self == .start ? "deployex" : "a name that the other node gives"
            options += [
                Option("--sname", "NAME", "short node name (default: \(own))"),
                Option("--name", "NAME@HOST", "long node name"),
                Option(
                    "--cookie", "COOKIE", "default: DEPLOYEX_ERLANG_COOKIE, then ~/.erlang.cookie"),
                Option(
                    "--tls-options", "FILE",
                    "mutual TLS with these options, as -ssl_dist_optfile"),
            ]
            let text =
                waits
                ? "how long to wait (default: \(defaultPatience.components.seconds))"
                : "how long to wait for an answer (default: 5)"
            options.append(Option("--timeout", "SECONDS", text))
        }
        options.append(Option("--help", nil, "show this text"))
        return options
    }

    /// How long a command waits for its effect. A rollout has as long as a version may take to
    /// become ready, and some more.
    var defaultPatience: Duration {
        switch self {
        case .deploy, .rollback: .seconds(1800)
        case .start, .restart, .stop: .seconds(120)
        case .status, .versions, .unghost, .logs, .remote, .ping, .probe, .rpc, .names, .epmd,
            .completion, .version, .help:
            .seconds(5)
        }
    }

    private var ownOptions: [Option] {
        switch self {
        case .start:
            [Option("--config", "FILE", "the configuration file (default: DEPLOYEX_CONFIG)")]
        case .status, .versions:
            [Option("--json", nil, "print JSON")]
        case .stop:
            [Option("--all", nil, "stop every instance, and then deployex")]
        case .logs:
            [
                Option("--stderr", nil, "standard error instead of standard output"),
                Option("--follow", nil, "go on with what is written from now on (also -f)"),
                Option("--raw", nil, "to a terminal, too, exactly what was printed"),
                Option("--lines", "N", "how many of the last lines (also -n; default: 20)"),
            ]
        case .probe:
            [
                Option("--app", "APPLICATION", "demand that this application is started"),
                Option("--json", nil, "print JSON"),
            ]
        case .epmd:
            [Option("--daemon", nil, "run in the background")]
        case .deploy, .rollback, .unghost, .restart, .remote, .ping, .rpc, .names, .completion,
            .version, .help:
            []
        }
    }

    /// ": did you mean status?" for a name that is one or two letters off, else what to do.
    static func suggestion(for text: String) -> String {
        let near = allCases.map { ($0, distance(text, $0.rawValue)) }.min { $0.1 < $1.1 }
        if let near, near.1 <= 2 { return ": did you mean \(near.0.rawValue)?" }
        return ": `deployex help` lists them"
    }

    private static func distance(_ first: String, _ second: String) -> Int {
        let first = Array(first.prefix(32))
        let second = Array(second)
        var row = Array(0...second.count)
        for (index, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in second.indices {
                let substitution = diagonal + (letter == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substitution, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[second.count]
    }
}

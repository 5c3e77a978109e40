/// The commands by the names that users type, with what `help` says of each.
enum CommandName: String, CaseIterable {
    case start, status, ping, probe, rpc, names, epmd, completion, version, help

    /// Whether `--sname`, `--cookie` and Erlang's switches mean something.
    var usesDistribution: Bool {
        switch self {
        case .start, .status, .ping, .probe, .rpc: true
        case .names, .epmd, .completion, .version, .help: false
        }
    }

    /// Whether the command waits for a node's answer.
    var talksToNode: Bool {
        switch self {
        case .status, .ping, .probe, .rpc: true
        case .start, .names, .epmd, .completion, .version, .help: false
        }
    }

    var synopsis: String {
        switch self {
        case .start: "deployex [start] [--sname NAME | --name NAME@HOST] [--cookie COOKIE]"
        case .status: "deployex status [--json] [--node NODE]"
        case .ping: "deployex ping NODE"
        case .probe: "deployex probe NODE [--app APPLICATION] [--json]"
        case .rpc: "deployex rpc NODE MODULE FUNCTION [ARGUMENTS]"
        case .names: "deployex names [HOST]"
        case .epmd: "deployex epmd [--daemon]"
        case .completion: "deployex completion bash|zsh|fish"
        case .version: "deployex version"
        case .help: "deployex help [COMMAND]"
        }
    }

    var summary: String {
        switch self {
        case .start: "deploy and supervise the monitored application, in the foreground"
        case .status: "show what runs: versions, processes, restarts"
        case .ping: "check that a node answers"
        case .probe: "check a node's health over the distribution"
        case .rpc: "call a function on a node and print its result"
        case .names: "list the nodes registered with EPMD"
        case .epmd: "run an Erlang port mapper daemon"
        case .completion: "print a shell completion script"
        case .version: "print the version"
        case .help: "show this text, or a command's"
        }
    }

    var details: String {
        switch self {
        case .start:
            """
            Reads DEPLOYEX_MONITORED_APP_NAME and the other DEPLOYEX_ variables (see the README),
            watches current.json in the storage folder, and deploys what it names.
            SIGTERM or Ctrl-C stops the applications and then deployex.
            """
        case .status:
            """
            Asks the deployex node on this host (or --node) for its state. --json prints it as JSON.
            """
        case .ping:
            """
            Prints pong when NODE answers. NODE is NAME@HOST, NAME on this host, or NAME@HOST:PORT
            to reach a node that is not registered with EPMD.
            """
        case .probe:
            """
            One line (or JSON) with boot, application, memory, run queue, processes and atoms.
            Exit status 0: healthy. 1: it answers but is not healthy. 3: it does not answer.
            --app also demands that APPLICATION is started.
            """
        case .rpc:
            """
            ARGUMENTS is the list of arguments in Erlang syntax, [] when left out:
              deployex rpc peer@host lists reverse '[[1,2,3]]'
            What the function prints goes to stdout before the result. An exception prints the
            Erlang term on stderr and gives exit status 1.
            """
        case .names:
            "Asks EPMD on HOST (this host when left out); ERL_EPMD_PORT is honoured."
        case .epmd:
            """
            Serves ERL_EPMD_PORT (4369 by default) on ERL_EPMD_ADDRESS (all addresses by default).
            --daemon puts it into the background.
            """
        case .completion:
            "For bash: source <(deployex completion bash)"
        case .version, .help:
            ""
        }
    }

    var options: [(name: String, value: String?, text: String)] {
        var options: [(name: String, value: String?, text: String)] = []
        switch self {
        case .status:
            options.append(("--json", nil, "print JSON"))
            options.append(("--node", "NODE", "the deployex node (default: deployex on this host)"))
        case .probe:
            options.append(("--app", "APPLICATION", "demand that this application is started"))
            options.append(("--json", nil, "print JSON"))
        case .epmd:
            options.append(("--daemon", nil, "run in the background"))
        case .start, .ping, .rpc, .names, .completion, .version, .help:
            break
        }
        if usesDistribution {
            let own = self == .start ? "deployex" : "a name that the other node gives"
            options.append(("--sname", "NAME", "short node name (default: \(own))"))
            options.append(("--name", "NAME@HOST", "long node name"))
            options.append(
                ("--cookie", "COOKIE", "default: DEPLOYEX_ERLANG_COOKIE, then ~/.erlang.cookie"))
        }
        if usesDistribution {
            options.append(
                ("--tls-options", "FILE", "mutual TLS with these options, as -ssl_dist_optfile"))
        }
        if talksToNode {
            options.append(("--timeout", "SECONDS", "how long to wait for an answer (default: 5)"))
        }
        options.append(("--help", nil, "show this text"))
        return options
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

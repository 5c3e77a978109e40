/// What a completion script asks `deployex completion` for.
enum CompletionWords: String, CaseIterable {
    case instances, applications, versions
}

/// Shells for which there is a completion script.
enum Shell: String, CaseIterable {
    case bash, zsh, fish

    /// The script, made from the same tables as the help. The names of what runs are asked for when
    /// they are wanted.
    var completionScript: String {
        switch self {
        case .bash: bashScript
        case .zsh: "autoload -U +X bashcompinit && bashcompinit\n" + bashScript
        case .fish: fishScript
        }
    }

    private var bashScript: String {
        let names = CommandName.allCases.map(\.rawValue).joined(separator: " ")
        let cases = CommandName.allCases.map { command in
            let words = Self.words(of: command).joined(separator: " ")
            let asked = command.completionWords.map { " asked=\($0.rawValue)" } ?? ""
            return "        \(command.rawValue)) words=\"\(words)\"\(asked) ;;"
        }
        return """
            _deployex() {
                local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
                local words asked=
                COMPREPLY=()
                if [ "$COMP_CWORD" -eq 1 ]; then
                    words="\(names)"
                else
                    case "${COMP_WORDS[1]}" in
            \(cases.joined(separator: "\n"))
                    esac
                fi
                case "$previous" in
                    --app) words= asked=applications ;;
                    --config|--tls-options) COMPREPLY=($(compgen -f -- "$word")); return ;;
                esac
                case "$word" in
                    -*) asked= ;;
                esac
                if [ -n "$asked" ]; then
                    words="$words $("${COMP_WORDS[0]}" completion "$asked" 2>/dev/null)"
                fi
                COMPREPLY=($(compgen -W "$words" -- "$word"))
            }
            complete -F _deployex deployex
            """
    }

    private var fishScript: String {
        var lines = ["complete -c deployex -f"]
        for command in CommandName.allCases {
            let condition = "-n '__fish_seen_subcommand_from \(command.rawValue)'"
            lines.append(
                "complete -c deployex -n __fish_use_subcommand -a \(command.rawValue)"
                    + " -d '\(command.summary)'")
            if let words = command.completionWords {
                lines.append(
                    "complete -c deployex \(condition)"
                        + " -a '(deployex completion \(words.rawValue) 2>/dev/null)'")
            }
            for option in command.options {
                let value =
                    switch (option.name, option.value) {
                    case ("--app", _): " -r -a '(deployex completion applications 2>/dev/null)'"
                    case ("--config", _), ("--tls-options", _): " -r -F"
                    case (_, nil): ""
                    case (_, _?): " -r"
                    }
                lines.append(
                    "complete -c deployex \(condition) -l \(option.name.dropFirst(2))\(value)"
                        + " -d '\(option.text)'")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func words(of command: CommandName) -> [String] {
        let own: [String] =
            switch command {
            case .help: CommandName.allCases.map(\.rawValue)
            case .completion: Shell.allCases.map(\.rawValue)
            case .deploy: ["auto"]
            case .start, .status, .versions, .rollback, .unghost, .restart, .stop, .logs, .remote,
                .ping, .probe, .rpc, .names, .epmd, .version:
                []
            }
        return own + command.options.map(\.name)
    }
}

extension CommandName {
    /// What its argument is one of, where only the running system knows.
    fileprivate var completionWords: CompletionWords? {
        switch self {
        case .start, .restart, .stop, .logs, .remote: .instances
        case .deploy, .unghost: .versions
        case .status, .versions, .rollback, .ping, .probe, .rpc, .names, .epmd, .completion,
            .version, .help:
            nil
        }
    }
}

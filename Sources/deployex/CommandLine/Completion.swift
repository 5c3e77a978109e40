/// Shells for which there is a completion script.
enum Shell: String, CaseIterable {
    case bash, zsh, fish

    /// The script, made from the same tables as the help.
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
            return "        \(command.rawValue)) words=\"\(words)\" ;;"
        }
        return """
            _deployex() {
                local word="${COMP_WORDS[COMP_CWORD]}" words
                if [ "$COMP_CWORD" -eq 1 ]; then
                    words="\(names)"
                else
                    case "${COMP_WORDS[1]}" in
            \(cases.joined(separator: "\n"))
                    esac
                fi
                COMPREPLY=($(compgen -W "$words" -- "$word"))
            }
            complete -F _deployex deployex
            """
    }

    private var fishScript: String {
        var lines = ["complete -c deployex -f"]
        for command in CommandName.allCases {
            lines.append(
                "complete -c deployex -n __fish_use_subcommand -a \(command.rawValue)"
                    + " -d '\(command.summary)'")
            for option in command.options {
                let value = option.value == nil ? "" : " -r"
                lines.append(
                    "complete -c deployex -n '__fish_seen_subcommand_from \(command.rawValue)'"
                        + " -l \(option.name.dropFirst(2))\(value) -d '\(option.text)'")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func words(of command: CommandName) -> [String] {
        let own: [String] =
            switch command {
            case .help: CommandName.allCases.map(\.rawValue)
            case .completion: Shell.allCases.map(\.rawValue)
            case .start, .status, .ping, .probe, .rpc, .names, .epmd, .version: []
            }
        return own + command.options.map(\.name)
    }
}

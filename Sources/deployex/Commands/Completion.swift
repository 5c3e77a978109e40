internal import Deployment

/// What a completion script can ask `deployex completion` for.
enum CompletionWords: String, CaseIterable {
    case instances, applications, versions
    /// What can be restarted, stopped and started: instances, and applications as groups of them.
    case targets
}

/// The shells that have a completion script.
enum Shell: String, CaseIterable {
    case bash, zsh, fish

    /// The script, made from the same values as the help. It asks for the names of what runs only
    /// when they are needed.
    var completionScript: String {
        switch self {
        case .bash: bashScript
        case .zsh: "autoload -U +X bashcompinit && bashcompinit\n" + bashScript
        case .fish: fishScript
        }
    }

    private var bashScript: String {
        let names = Verb.allNames.joined(separator: " ")
        let cases = Verb.all.map { verb in
            let words = (verb.words() + verb.options.map(\.name)).joined(separator: " ")
            let asked = verb.askedWords.map { " asked=\($0.rawValue)" } ?? ""
            return
                "        \(([verb.name] + verb.aliases).joined(separator: "|"))) words=\"\(words)\"\(asked) ;;"
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
                    --sink) words="\(NotifyTest.names.joined(separator: " "))" asked= ;;
                    --config|--tls-options|--key|-s|--sign) COMPREPLY=($(compgen -f -- "$word")); return ;;
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
        var rules = ["-f"]
        for verb in Verb.all {
            let names = [verb.name] + verb.aliases
            let condition =
                "-n '__fish_seen_subcommand_from \(names.joined(separator: " "))'"
            for name in names {
                rules.append("-n __fish_use_subcommand -a \(name) -d \(quoted(verb.summary))")
            }
            let own = verb.words()
            if !own.isEmpty { rules.append("\(condition) -a '\(own.joined(separator: " "))'") }
            if let words = verb.askedWords {
                rules.append("\(condition) -a '\(asking(words))'")
            }
            for option in verb.options {
                let value =
                    switch (option.name, option.value) {
                    case ("--sink", _): " -r -a '\(NotifyTest.names.joined(separator: " "))'"
                    case ("--app", _): " -r -a '\(asking(.applications))'"
                    case ("--config", _), ("--tls-options", _), ("--key", _), ("--sign", _):
                        " -r -F"
                    case (_, nil): ""
                    case (_, _?): " -r"
                    }
                rules.append(
                    "\(condition) -l \(option.name.dropFirst(2))\(value) -d \(quoted(option.text))")
            }
        }
        return rules.map { "complete -c deployex \($0)" }.joined(separator: "\n")
    }

    /// As one word of fish.
    private func quoted(_ text: String) -> String {
        "'\(text.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
    }

    private func asking(_ words: CompletionWords) -> String {
        "(deployex completion \(words.rawValue) 2>/dev/null)"
    }
}

/// `deployex completion bash|zsh|fish`
struct CompletionScript: Command {
    let shell: Shell

    func run(_: CommandSetting) -> Ending {
        Output.line(shell.completionScript)
        return .done
    }
}

/// `deployex completion instances|applications|targets|versions`: words, or nothing at all.
struct ListWords: Command {
    let words: CompletionWords

    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        guard let status = try? await client.status() else { return .exit(ExitCode.unreachable) }
        let applications = status.applications
        let names = applications.map(\.name)
        let instances: [String?] = applications.flatMap { application in
            application.instances.map { "\(application.name ?? "")-\($0.number ?? 0)" }
        }
        let found: [String?] =
            switch words {
            case .applications: names
            case .instances: instances
            case .targets: names + instances
            case .versions:
                applications.flatMap { application in
                    [application.targetVersion] + application.ghosted.map(\.version)
                        + application.instances.map(\.version)
                }
            }
        // A shell expands words that it gets for completion, so only plain names are printed.
        for word in Set(found.compactMap { $0 }).sorted() where Release.isVersion(word) {
            Output.line(word)
        }
        return .done
    }
}

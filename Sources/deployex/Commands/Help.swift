/// The texts of `deployex help` and of `--help`.
struct Help: Command {
    /// The verb that the help is about; `nil` for all.
    let verb: String?

    func run(_: CommandSetting) -> Ending {
        Output.line(verb.flatMap(Verb.named).map(Self.text) ?? Self.overview)
        return .done
    }

    static func text(_ verb: Verb) -> String {
        let usage = verb.forms.map { "deployex " + $0 }.joined(separator: "\n       ")
        let summary = verb.summary.prefix(1).uppercased() + verb.summary.dropFirst()
        var lines = ["usage: \(usage)", "", "\(summary)."]
        if !verb.aliases.isEmpty {
            lines.append("Also called \(verb.aliases.joined(separator: " and ")).")
        }
        if !verb.details.isEmpty { lines += ["", verb.details] }
        lines += ["", "options:"]
        for option in verb.options {
            let name = option.value.map { "\(option.name) \($0)" } ?? option.name
            lines.append("  \(padded(name, to: 20))  \(option.text)")
        }
        return lines.joined(separator: "\n")
    }

    static var overview: String {
        let title = "deployex \(ProgramVersion.text): deploys, hot-upgrades and supervises"
        let verbs = Verb.all.map { "  \(padded($0.name, to: 10))  \($0.summary)" }
        return """
            \(title) Erlang and Elixir releases

            usage: deployex [COMMAND] [OPTIONS]

            commands:
            \(verbs.joined(separator: "\n"))

            `deployex help COMMAND` says more about one of them. Without a command it starts.

            exit status: 0 done, 1 the other side said no, 2 usage, 3 unreachable
            """
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// `deployex version`
struct ShowVersion: Command {
    func run(_: CommandSetting) -> Ending {
        Output.line("deployex \(ProgramVersion.text)")
        return .done
    }
}

extension Verb {
    static let about: [Verb] = [
        Verb(
            name: "completion", forms: ["completion bash|zsh|fish"],
            summary: "print a shell completion script",
            details: """
                For bash: source <(deployex completion bash)
                The scripts complete commands, options, and the names of what runs, for which they ask
                deployex (`deployex completion instances|applications|targets|versions`).
                """,
            argumentCount: 1...1, peer: .deployex,
            words: { Shell.allCases.map(\.rawValue) },
            read: { (arguments) throws(UsageError) in
                let text = arguments.positional[0]
                if let shell = Shell(rawValue: text) { return CompletionScript(shell: shell) }
                if let words = CompletionWords(rawValue: text) { return ListWords(words: words) }
                throw arguments.failure("no completion for \(text): bash, zsh or fish")
            }),
        Verb(name: "version", forms: ["version"], summary: "print the version") { _ in
            ShowVersion()
        },
        Verb(
            name: "help", forms: ["help [COMMAND]"],
            summary: "show this text, or what it says of a command", argumentCount: 0...1,
            words: { all.map(\.name) },
            read: { (arguments) throws(UsageError) in
                guard let topic = arguments.positional.first else { return Help(verb: nil) }
                guard let verb = named(topic) else {
                    throw UsageError("no help for \(topic): it is not a command")
                }
                return Help(verb: verb.name)
            }),
    ]
}

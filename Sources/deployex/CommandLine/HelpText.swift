/// The texts of `deployex help` and of `--help`.
enum HelpText {
    static let version = "0.1.0"

    static func text(for command: CommandName?) -> String {
        guard let command else { return overview }
        var lines = ["usage: \(command.synopsis)", "", capitalised(command.summary) + "."]
        if !command.details.isEmpty { lines += ["", command.details] }
        lines += ["", "options:"]
        let names = command.options.map { option in
            option.value.map { "\(option.name) \($0)" } ?? option.name
        }
        for (name, option) in zip(names, command.options) {
            lines.append("  \(padded(name, to: 20))  \(option.text)")
        }
        return lines.joined(separator: "\n")
    }

    private static var overview: String {
        var lines = [
            "deployex \(version): deploys, hot-upgrades and supervises Erlang and Elixir releases",
            "", "usage: deployex [COMMAND] [OPTIONS]", "", "commands:",
        ]
        for command in CommandName.allCases {
            lines.append("  \(padded(command.rawValue, to: 10))  \(command.summary)")
        }
        lines += [
            "", "`deployex help COMMAND` says more about one of them. Without a command it starts.",
            "",
            "exit status: 0 done, 1 the other side said no, 2 usage, 3 unreachable",
        ]
        return lines.joined(separator: "\n")
    }

    private static func capitalised(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// What the user asked for: one command with its options, read from the arguments and nothing else.
struct Invocation: Equatable {
    enum Command: Equatable {
        case start
        case status(json: Bool)
        case ping(node: String)
        case probe(node: String, application: String?, json: Bool)
        case rpc(node: String, module: String, function: String, arguments: String)
        case names(host: String?)
        case epmd(daemon: Bool)
        case completion(Shell)
        case version
        case help(CommandName?)
    }

    var command: Command
    var distribution = DistributionOptions()
    /// How long a command waits for an answer.
    var timeout: Duration = .seconds(5)

    /// Reads the arguments after the program's name.
    /// - Throws: ``UsageError`` with one line that says what to do.
    init(arguments: [String]) throws(UsageError) {
        var scanner = ArgumentScanner(arguments)
        let name = try Self.commandName(&scanner)
        var positional: [String] = []
        var json = false
        var daemon = false
        var application: String?
        while let argument = scanner.next() {
            switch argument {
            case .positional(let text):
                positional.append(text)
            case .option("--help"), .option("-h"):
                command = .help(name)
                return
            case .option("--version"):
                command = .version
                return
            case .option("--json") where name == .status || name == .probe:
                json = true
            case .option("--daemon") where name == .epmd, .option("-daemon") where name == .epmd:
                daemon = true
            case .option("--app") where name == .probe:
                application = try scanner.value(of: "--app")
            case .option("--timeout") where name.talksToNode:
                timeout = try Self.timeout(scanner.value(of: "--timeout"))
            case .option("--node") where name == .status:
                distribution.target = try scanner.value(of: "--node")
            case .option(let option):
                guard name.usesDistribution,
                    try distribution.accept(option, from: &scanner)
                else {
                    throw UsageError(
                        "unknown option \(option) for `deployex \(name.rawValue)`", name)
                }
            }
        }
        command = try Self.command(
            name, positional, json: json, daemon: daemon, application: application)
    }

    /// `start` when no command is named, as in `deployex --sname deployex`.
    private static func commandName(
        _ scanner: inout ArgumentScanner
    ) throws(UsageError) -> CommandName {
        switch scanner.peek {
        case nil, .option:
            return .start
        case .positional(let text):
            _ = scanner.next()
            guard let name = CommandName(rawValue: text) else {
                throw UsageError("unknown command \(text)\(CommandName.suggestion(for: text))", nil)
            }
            return name
        }
    }

    private static func command(
        _ name: CommandName, _ positional: [String], json: Bool, daemon: Bool, application: String?
    ) throws(UsageError) -> Command {
        func expect(_ range: ClosedRange<Int>) throws(UsageError) {
            if positional.count < range.lowerBound {
                throw UsageError(
                    "missing argument for `deployex \(name.rawValue)`: \(name.synopsis)", name)
            }
            if positional.count > range.upperBound {
                throw UsageError(
                    "unexpected argument \(positional[range.upperBound]): \(name.synopsis)", name)
            }
        }
        switch name {
        case .start:
            try expect(0...0)
            return .start
        case .status:
            try expect(0...0)
            return .status(json: json)
        case .ping:
            try expect(1...1)
            return .ping(node: positional[0])
        case .probe:
            try expect(1...1)
            return .probe(node: positional[0], application: application, json: json)
        case .rpc:
            try expect(3...4)
            return .rpc(
                node: positional[0], module: positional[1], function: positional[2],
                arguments: positional.count > 3 ? positional[3] : "[]")
        case .names:
            try expect(0...1)
            return .names(host: positional.first)
        case .epmd:
            try expect(0...0)
            return .epmd(daemon: daemon)
        case .completion:
            try expect(1...1)
            guard let shell = Shell(rawValue: positional[0]) else {
                throw UsageError("no completion for \(positional[0]): bash, zsh or fish", name)
            }
            return .completion(shell)
        case .version:
            try expect(0...0)
            return .version
        case .help:
            try expect(0...1)
            guard let topic = positional.first else { return .help(nil) }
            guard let topicName = CommandName(rawValue: topic) else {
                throw UsageError("no help for \(topic): it is not a command", nil)
            }
            return .help(topicName)
        }
    }

    private static func timeout(_ text: String) throws(UsageError) -> Duration {
        guard let seconds = Double(text), seconds > 0, seconds <= 86_400 else {
            throw UsageError("--timeout takes seconds above 0, not \(text)", nil)
        }
        return .seconds(seconds)
    }
}

/// A command that cannot be carried out as written: one line, exit status 2.
struct UsageError: Error, Equatable {
    var message: String
    /// Whose help is worth reading.
    var command: CommandName?

    init(_ message: String, _ command: CommandName?) {
        self.message = message
        self.command = command
    }
}

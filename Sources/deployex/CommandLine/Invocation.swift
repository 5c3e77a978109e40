internal import Deployment

/// What the user asked for: one command with its options, read from the arguments and nothing else.
struct Invocation: Equatable {
    enum Command: Equatable {
        /// The server, in the foreground.
        case start(configurationFile: String?)
        case status(json: Bool)
        case versions(json: Bool)
        /// - Parameter waits: until the effect is seen.
        case order(ControlOrder, waits: Bool)
        case logs(LogRequest)
        case remote(instance: String?)
        case ping(node: String)
        case probe(node: String, application: String?, json: Bool)
        case rpc(node: String, module: String, function: String, arguments: String)
        case names(host: String?)
        case epmd(daemon: Bool)
        case completion(Shell)
        /// Words of the running system for a completion script.
        case completionWords(CompletionWords)
        case version
        case help(CommandName?)
    }

    /// What `deployex logs` is to show.
    struct LogRequest: Equatable {
        /// `2` or `counter-2`.
        var instance: String
        var stream = "stdout"
        var follows = false
        /// Not made safe for a terminal.
        var isRaw = false
        var lines = 20
    }

    var command: Command
    var distribution = DistributionOptions()
    /// The application that is meant, where there are several.
    var application: String?
    /// How long a command waits: for an answer, or for the effect of what it asks for.
    var timeout: Duration?

    /// How long an answer may take. Who gives an effect half a second, or half an hour, does not mean
    /// the answer that says it has begun.
    var answerTimeout: Duration {
        let timeout = timeout ?? .seconds(5)
        guard case .order = command else { return timeout }
        return min(max(timeout, .seconds(5)), .seconds(30))
    }

    /// Reads the arguments after the program's name.
    /// - Throws: ``UsageError`` with one line that says what to do.
    init(arguments: [String]) throws(UsageError) {
        var scanner = ArgumentScanner(arguments)
        let name = try Self.commandName(&scanner)
        var positional: [String] = []
        var flags: Set<String> = []
        var values: [String: String] = [:]
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
            case .option(let text):
                let option = CommandName.longOption[text] ?? text
                let known = name.options.first { $0.name == option }
                if name.usesDistribution, try distribution.accept(option, from: &scanner) {
                    continue
                }
                guard let known else {
                    throw UsageError(
                        "unknown option \(text) for `deployex \(name.rawValue)`", name)
                }
                if known.value == nil {
                    flags.insert(option)
                } else {
                    values[option] = try scanner.value(of: text)
                }
            }
        }
        application = values["--app"]
        distribution.target = values["--node"]
        if let text = values["--timeout"] { timeout = try Self.timeout(text) }
        command = try Self.command(name, positional, flags, values)
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
        _ name: CommandName, _ positional: [String], _ flags: Set<String>,
        _ values: [String: String]
    ) throws(UsageError) -> Command {
        let range = name.positionalCount
        if positional.count < range.lowerBound {
            throw UsageError(
                "missing argument for `deployex \(name.rawValue)`: \(name.usage)", name)
        }
        if positional.count > range.upperBound {
            throw UsageError(
                "unexpected argument \(positional[range.upperBound]): \(name.usage)", name)
        }
        let (json, waits) = (flags.contains("--json"), !flags.contains("--no-wait"))
        switch name {
        case .start:
            return try start(positional.first, flags, values)
        case .stop:
            return .order(try stop(positional.first, flags), waits: waits)
        case .restart:
            return .order(.restart(try instance(positional[0], name)), waits: waits)
        case .deploy:
            return .order(.deploy(try version(positional[0], name)), waits: waits)
        case .rollback:
            return .order(.rollback, waits: waits)
        case .unghost:
            return .order(.unghost(try version(positional[0], name)), waits: waits)
        case .status:
            return .status(json: json)
        case .versions:
            return .versions(json: json)
        case .logs:
            return .logs(try logs(positional[0], flags, values))
        case .remote:
            guard let text = positional.first else { return .remote(instance: nil) }
            return .remote(instance: try instance(text, name))
        case .ping:
            return .ping(node: positional[0])
        case .probe:
            return .probe(node: positional[0], application: values["--app"], json: json)
        case .rpc:
            return .rpc(
                node: positional[0], module: positional[1], function: positional[2],
                arguments: positional.count > 3 ? positional[3] : "[]")
        case .names:
            return .names(host: positional.first)
        case .epmd:
            return .epmd(daemon: flags.contains("--daemon"))
        case .completion:
            return try completion(positional[0])
        case .version:
            return .version
        case .help:
            guard let topic = positional.first else { return .help(nil) }
            guard let topicName = CommandName(rawValue: topic) else {
                throw UsageError("no help for \(topic): it is not a command", nil)
            }
            return .help(topicName)
        }
    }

    /// Without an instance it is the server that starts.
    private static func start(
        _ instance: String?, _ flags: Set<String>, _ values: [String: String]
    ) throws(UsageError) -> Command {
        guard let instance else {
            for option in ["--app", "--node", "--timeout"] where values[option] != nil {
                throw UsageError("\(option) is for `deployex start INSTANCE`", .start)
            }
            if flags.contains("--no-wait") {
                throw UsageError("--no-wait is for `deployex start INSTANCE`", .start)
            }
            return .start(configurationFile: values["--config"])
        }
        guard values["--config"] == nil else {
            throw UsageError(
                "--config is for the server: \(instance) is started with what it knows", .start)
        }
        return .order(
            .start(try Self.instance(instance, .start)), waits: !flags.contains("--no-wait"))
    }

    private static func stop(
        _ instance: String?, _ flags: Set<String>
    ) throws(UsageError) -> ControlOrder {
        switch (instance, flags.contains("--all")) {
        case (let text?, false): return .stop(try self.instance(text, .stop))
        case (nil, true): return .stopAll
        case (nil, false), (_?, true):
            throw UsageError(
                "stop takes an instance, or --all for every instance and deployex itself", .stop)
        }
    }

    private static func logs(
        _ instance: String, _ flags: Set<String>, _ values: [String: String]
    ) throws(UsageError) -> LogRequest {
        var request = LogRequest(instance: try self.instance(instance, .logs))
        if flags.contains("--stderr") { request.stream = "stderr" }
        request.follows = flags.contains("--follow")
        request.isRaw = flags.contains("--raw")
        if let text = values["--lines"] {
            guard let lines = Int(text), 0...ControlCall.maximumLineCount ~= lines else {
                throw UsageError(
                    "--lines takes 0 to \(ControlCall.maximumLineCount), not \(text)", .logs)
            }
            request.lines = lines
        }
        return request
    }

    /// A number, or a name with a number behind its dash.
    private static func instance(
        _ text: String, _ name: CommandName
    ) throws(UsageError) -> String {
        let number = text.lastIndex(of: "-").map { text[text.index(after: $0)...] } ?? text[...]
        guard let value = Int(number), value > 0, !text.hasPrefix("-") else {
            throw UsageError("\(text) is no instance: give its number, or APP-NUMBER", name)
        }
        return text
    }

    private static func version(
        _ text: String, _ name: CommandName
    ) throws(UsageError) -> String {
        guard Release.isVersion(text) else {
            throw UsageError("\(text) is no version: letters, digits and ._+~- only", name)
        }
        return text
    }

    private static func completion(_ text: String) throws(UsageError) -> Command {
        if let shell = Shell(rawValue: text) { return .completion(shell) }
        if let words = CompletionWords(rawValue: text) { return .completionWords(words) }
        throw UsageError("no completion for \(text): bash, zsh or fish", .completion)
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

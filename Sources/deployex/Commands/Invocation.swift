/// What the user asked for: one command with its options, read from the arguments only.
struct Invocation: Sendable {
    var command: any Command
    var distribution = DistributionOptions()
    /// The application that is meant, if there are several.
    var application: String?
    /// How long a command waits for an answer, or for the effect of what it asks for.
    var timeout: Duration?
    /// How long the verb waits for its effect without a ``timeout``; `nil` if it does not wait for
    /// one.
    private var usualPatience: Duration?

    /// How long to wait for the effect.
    var patience: Duration { timeout ?? usualPatience ?? Self.usualAnswerTimeout }

    /// How long an answer may take. A timeout of half a second, or of half an hour, is meant for
    /// the effect, not for the answer that the effect has begun.
    var answerTimeout: Duration {
        let timeout = timeout ?? Self.usualAnswerTimeout
        guard usualPatience != nil else { return timeout }
        return min(max(timeout, .seconds(5)), .seconds(30))
    }

    private static let usualAnswerTimeout = Duration.seconds(5)

    /// Alternative spellings of options.
    private static let longOptions = [
        "-f": "--follow", "-n": "--lines", "-daemon": "--daemon", "-h": "--help",
    ]

    /// Parses the arguments after the program's name.
    /// - Throws: ``UsageError`` with one line that says what to do.
    init(arguments words: [String]) throws(UsageError) {
        var scanner = ArgumentScanner(words)
        let verb = try Self.verb(&scanner)
        var arguments = Arguments(name: verb.name)
        while let argument = scanner.next() {
            switch argument {
            case .positional(let text):
                arguments.positional.append(text)
            case .option("--version"):
                command = ShowVersion()
                return
            case .option(let text):
                let option = Self.longOptions[text] ?? text
                if option == "--help" {
                    command = Help(verb: verb.name)
                    return
                }
                if verb.peer != .nobody, try distribution.accept(option, from: &scanner) {
                    continue
                }
                guard let known = verb.options.first(where: { $0.name == option }) else {
                    throw arguments.failure("unknown option \(text) for `deployex \(verb.name)`")
                }
                if known.value == nil {
                    arguments.flags.insert(option)
                } else {
                    arguments.values[option] = try scanner.value(of: text)
                }
            }
        }
        application = arguments.values["--app"]
        distribution.target = arguments.values["--node"]
        timeout = try arguments.timeout()
        usualPatience = verb.patience
        if arguments.positional.count < verb.argumentCount.lowerBound {
            throw arguments.failure("missing argument for `deployex \(verb.name)`: \(verb.usage)")
        }
        if let unexpected = arguments.positional.dropFirst(verb.argumentCount.upperBound).first {
            throw arguments.failure("unexpected argument \(unexpected): \(verb.usage)")
        }
        command = try verb.read(arguments)
    }

    /// The verb; `start` when no command is named, as in `deployex --sname deployex`.
    private static func verb(_ scanner: inout ArgumentScanner) throws(UsageError) -> Verb {
        guard case .positional(let text)? = scanner.peek else { return Verb.server[0] }
        _ = scanner.next()
        guard let verb = Verb.named(text) else {
            throw UsageError("unknown command \(text)\(suggestion(for: text))")
        }
        return verb
    }

    /// ": did you mean status?" for a name that is one or two letters off; otherwise what to do.
    private static func suggestion(for text: String) -> String {
        let near = Verb.all.map { ($0.name, distance(text, $0.name)) }.min { $0.1 < $1.1 }
        if let near, near.1 <= 2 { return ": did you mean \(near.0)?" }
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

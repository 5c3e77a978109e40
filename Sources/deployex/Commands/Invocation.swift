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
        "-w": "--watch", "-s": "--key", "-v": "--version", "-V": "--version",
    ]

    /// Parses the arguments after the program's name.
    /// - Throws: ``UsageError`` with one line that says what to do.
    init(arguments words: [String]) throws(UsageError) {
        var scanner = ArgumentScanner(words)
        let named = try Self.verb(&scanner)
        let verb = named ?? Verb.server[0]
        var arguments = Arguments(name: verb.name, isBare: words.isEmpty)
        while let argument = scanner.next() {
            guard case .option(let text) = argument else {
                if case .positional(let text) = argument { arguments.positional.append(text) }
                continue
            }
            let option = Self.longOptions[text] ?? text
            let isOwn = verb.ownOptions.contains { $0.name == text }
            let isAnswer = !isOwn && (option == "--version" || option == "--help")
            if !isAnswer {
                try Self.take(option, as: text, of: verb, &arguments, &distribution, &scanner)
            }
            guard !scanner.hasUntakenValue else {
                throw arguments.failure("\(text) takes no value: leave out what follows the =")
            }
            if isAnswer {
                command = option == "--help" ? Help(verb: named?.name) : ShowVersion()
                return
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

    /// Takes an option of the distribution or of the verb.
    private static func take(
        _ option: String, as text: String, of verb: Verb, _ arguments: inout Arguments,
        _ distribution: inout DistributionOptions, _ scanner: inout ArgumentScanner
    ) throws(UsageError) {
        if verb.peer != .nobody, try distribution.accept(option, from: &scanner) { return }
        guard let known = verb.options.first(where: { $0.name == option }) else {
            // What follows the = may be a secret.
            let name = text.prefix { $0 != "=" }
            throw arguments.failure("unknown option \(name) for `deployex \(verb.name)`")
        }
        if known.value == nil {
            arguments.flags.insert(option)
        } else {
            let value = try scanner.value(of: text)
            arguments.values[option] = value
            arguments.lists[option, default: []].append(value)
        }
    }

    /// The verb; `nil` when none is named, as in `deployex --sname deployex`, which starts.
    private static func verb(_ scanner: inout ArgumentScanner) throws(UsageError) -> Verb? {
        guard case .positional(let text)? = scanner.peek else { return nil }
        _ = scanner.next()
        guard let verb = Verb.named(text) else {
            throw UsageError("unknown command \(text)\(suggestion(for: text))")
        }
        return verb
    }

    /// What to type instead: what another tool's word is here, or the name that is one or two
    /// letters off.
    private static func suggestion(for text: String) -> String {
        if let answer = ForeignWords.answer(to: text) { return ": \(answer)" }
        // In a short word, two other letters make another word.
        let limit = text.count < 4 ? 1 : 2
        if let near = EditDistance.nearest(to: text, among: Verb.allNames, within: limit) {
            return ": did you mean \(near)?"
        }
        return ": `deployex help` lists them"
    }
}

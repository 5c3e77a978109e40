internal import Deployment

/// A user's arguments for one verb, parsed. Each option is one that the verb has.
///
/// The conversions throw a ``UsageError`` that names the argument and says what is valid there.
struct Arguments: Equatable {
    /// The name of the verb.
    var name: String
    /// Whether there was no argument at all, not even the verb.
    var isBare = false
    var positional: [String] = []
    var flags: Set<String> = []
    var values: [String: String] = [:]
    /// All values of each option, in order.
    var lists: [String: [String]] = [:]

    func failure(_ message: String) -> UsageError { UsageError(message, name) }

    func has(_ flag: String) -> Bool { flags.contains(flag) }

    /// Whether the command waits for its effect.
    var waits: Bool { !has("--no-wait") }

    /// The first argument, which must be there: an instance's number, or a name that ends with a
    /// dash and a number.
    func instance() throws(UsageError) -> String {
        let text = positional[0]
        guard Self.isInstance(text) else {
            throw failure("\(text) is no instance: give its number, or APP-NUMBER")
        }
        return text
    }

    /// What a command concerns that takes one instance or several.
    enum Target: Equatable {
        case instance(String)
        /// All instances of an application; of the one that `--app` names, or of every one, when it
        /// is `nil`.
        case all(of: String?)
    }

    /// The first argument, if there is one, as a target: an instance, an application, or `all`,
    /// which is also written `--all`.
    func target() throws(UsageError) -> Target? {
        guard let text = positional.first, text != "all" else {
            return positional.isEmpty && !has("--all") ? nil : .all(of: nil)
        }
        guard !has("--all") else {
            throw failure("--all is every instance: leave out \(text), or --all")
        }
        if Self.isInstance(text) { return .instance(text) }
        guard text.isMadeOfLettersDigits(and: "_"), text.first?.isLetter == true else {
            throw failure(
                "\(text) is no instance: give its number, APP-NUMBER, or an application's name")
        }
        if let named = values["--app"], named != text {
            throw failure("\(text) and --app \(named) are two applications: name one")
        }
        return .all(of: text)
    }

    private static func isInstance(_ text: String) -> Bool {
        let number = text.lastIndex(of: "-").map { text[text.index(after: $0)...] } ?? text[...]
        return Int(number).map { $0 > 0 && !text.hasPrefix("-") } ?? false
    }

    /// The first argument, which must be there: a version, or `auto`.
    func version() throws(UsageError) -> String {
        guard Release.isVersion(positional[0]) else {
            throw failure("\(positional[0]) is no version: letters, digits and ._+~- only")
        }
        return positional[0]
    }

    func integer(_ option: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = values[option] else { return nil }
        guard let value = Int(text), range ~= value else {
            throw failure("\(option) takes \(range.lowerBound) to \(range.upperBound), not \(text)")
        }
        return value
    }

    func timeout() throws(UsageError) -> Duration? {
        guard let text = values["--timeout"] else { return nil }
        guard let seconds = Double(text), seconds > 0, seconds <= 86_400 else {
            throw UsageError("--timeout takes seconds above 0, not \(text)")
        }
        return .seconds(seconds)
    }
}

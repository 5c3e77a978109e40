internal import Deployment

/// A user's arguments for one verb, parsed. Each option is one that the verb has.
///
/// The conversions throw a ``UsageError`` that names the argument and says what is valid there.
struct Arguments: Equatable {
    /// The name of the verb.
    var name: String
    var positional: [String] = []
    var flags: Set<String> = []
    var values: [String: String] = [:]

    func failure(_ message: String) -> UsageError { UsageError(message, name) }

    func has(_ flag: String) -> Bool { flags.contains(flag) }

    /// Whether the command waits for its effect.
    var waits: Bool { !has("--no-wait") }

    /// The first argument, which must be there: an instance's number, or a name that ends with a
    /// dash and a number.
    func instance() throws(UsageError) -> String {
        let text = positional[0]
        let number = text.lastIndex(of: "-").map { text[text.index(after: $0)...] } ?? text[...]
        guard let value = Int(number), value > 0, !text.hasPrefix("-") else {
            throw failure("\(text) is no instance: give its number, or APP-NUMBER")
        }
        return text
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

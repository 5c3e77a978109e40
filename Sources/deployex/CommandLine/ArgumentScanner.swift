/// Reads arguments one after the other. `--option=value` and `--option value` mean the same. After
/// `--` everything is positional; `-` and negative numbers are always positional.
struct ArgumentScanner {
    enum Argument: Equatable {
        case option(String)
        case positional(String)
    }

    private var remaining: ArraySlice<String>
    /// The value after the `=` of the option that was returned last.
    private var attached: String?
    private var onlyPositional = false

    init(_ arguments: [String]) {
        remaining = arguments[...]
    }

    /// The next argument, which stays there.
    var peek: Argument? {
        var copy = self
        return copy.next()
    }

    mutating func next() -> Argument? {
        attached = nil
        guard let text = remaining.popFirst() else { return nil }
        if onlyPositional { return .positional(text) }
        if text == "--" {
            onlyPositional = true
            return next()
        }
        guard text.hasPrefix("-"), text.count > 1, text.dropFirst().first?.isNumber != true else {
            return .positional(text)
        }
        guard text.hasPrefix("--"), let equals = text.firstIndex(of: "=") else {
            return .option(text)
        }
        attached = String(text[text.index(after: equals)...])
        return .option(String(text[..<equals]))
    }

    /// Whether the option that was returned last has a value that nobody has taken.
    var hasUntakenValue: Bool { attached != nil }

    /// The value of the option that was returned last.
    mutating func value(of option: String) throws(UsageError) -> String {
        if let value = attached {
            attached = nil
            return value
        }
        guard let value = remaining.popFirst() else {
            throw UsageError("\(option) needs a value", nil)
        }
        return value
    }
}

internal import Deployment

/// The value of a setting and where it was given, before anybody has checked it.
///
/// The conversions throw a ``UsageError`` that names the place, the value and what is valid there.
enum SettingValue {
    /// The value of a variable, or of a parameter of `-kernel` in `ELIXIR_ERL_OPTIONS`.
    case text(String, name: String)
    /// The value of a key in a configuration file, such as `applications[1].replicas`.
    case json(JSONValue, file: String, key: String)

    /// - Parameter takes: what is valid, such as "a whole number from 1 to 100".
    func failure(_ takes: String) -> UsageError {
        let message =
            switch self {
            case .text(_, let name) where Setting.mayBeSecret(name):
                "\(name): \(takes), not what it is set to"
            case .text(let text, let name): "\(name)=\(text): \(takes)"
            case .json(.string, let file, let key) where Setting.mayBeSecret(key):
                "\(file): \(key): \(takes), not what stands there"
            case .json(let value, let file, let key) where Setting.mayBeSecret(key):
                "\(file): \(key): \(takes), not \(value.kind)"
            case .json(let value, let file, let key):
                "\(file): \(key): \(takes), not \(Self.shown(value))"
            }
        return UsageError(message, "start")
    }

    /// The place alone, for errors about two settings.
    var name: String {
        switch self {
        case .text(_, let name): name
        case .json(_, _, let key): key
        }
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .bool(let value): "\(value)"
        case .number(let text): text
        case .string(let text): "\"\(text.prefix(64))\""
        case .null, .array, .object: value.kind
        }
    }

    // MARK: Conversions

    func integer(in range: ClosedRange<Int>) throws(UsageError) -> Int {
        guard let text = number, let value = Int(text), range.contains(value) else {
            throw failure("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Seconds, possibly with a fraction.
    func duration() throws(UsageError) -> Duration {
        guard let text = number, let seconds = Double(text), seconds >= 0.05, seconds <= 86_400
        else { throw failure("seconds from 0.05 to 86400") }
        return .seconds(seconds)
    }

    /// As ``duration()``, or 0.
    func durationOrNone() throws(UsageError) -> Duration {
        if let number, Double(number) == 0 { return .zero }
        guard let number, let seconds = Double(number), seconds >= 0.05, seconds <= 86_400 else {
            throw failure("0, or seconds from 0.05 to 86400")
        }
        return .seconds(seconds)
    }

    func boolean() throws(UsageError) -> Bool {
        switch self {
        case .text("true", _), .json(.bool(true), _, _): return true
        case .text("false", _), .json(.bool(false), _, _): return false
        case .text, .json: throw failure("true or false")
        }
    }

    func text() throws(UsageError) -> String {
        switch self {
        case .text(let text, _), .json(.string(let text), _, _): return text
        case .json: throw failure("a string")
        }
    }

    /// An absolute path, without a slash at the end.
    func path() throws(UsageError) -> String {
        let text = try text()
        guard text.hasPrefix("/"), !text.split(separator: "/").contains(".."), !text.contains("\0")
        else { throw failure("an absolute path without ..") }
        var path = text
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// A name that is used as one component of paths.
    func pathComponent() throws(UsageError) -> String {
        let text = try text()
        guard text.isMadeOfLettersDigits(and: "_-."), !text.isEmpty, !text.hasPrefix("."),
            !text.hasPrefix("-"), text.count <= 64
        else { throw failure("letters, digits, _ and - only, 64 at most") }
        return text
    }

    /// Words: separated by commas in a variable, a list of strings in the file.
    func words() throws(UsageError) -> [String] {
        switch self {
        case .text(let text, _):
            return text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter {
                !$0.isEmpty
            }
        case .json(.array(let elements), _, _) where elements.allSatisfy({ $0.text != nil }):
            return elements.compactMap(\.text)
        case .json: throw failure("a list of strings")
        }
    }

    /// The command that starts a release: one text, or in the file also a list of words. The first
    /// word is a path in the release.
    func command() throws(UsageError) -> StartCommand {
        let words: [String]?
        switch self {
        case .text(let text, _), .json(.string(let text), _, _): words = CommandWords.split(text)
        case .json(.array, _, _): words = try self.words()
        case .json: words = nil
        }
        let isUsable = words?.allSatisfy { !$0.contains("\0") } ?? false
        guard isUsable, let words, let program = words.first, !program.isEmpty,
            !program.hasPrefix("/"), !program.hasSuffix("/"),
            !program.split(separator: "/").contains("..")
        else { throw failure("a program in the release and its arguments, as bin/app foreground") }
        return StartCommand(program: program, arguments: Array(words.dropFirst()))
    }

    /// The members of an object, which only the file can hold.
    func members() throws(UsageError) -> [(key: String, value: SettingValue)] {
        guard case .json(.object(let members), let file, let key) = self else {
            throw failure("an object")
        }
        return members.map { ($0.key, .json($0.value, file: file, key: "\(key).\($0.key)")) }
    }

    /// The elements of a list, which only the file can hold.
    func elements() throws(UsageError) -> [SettingValue] {
        guard case .json(.array(let elements), let file, let key) = self else {
            throw failure("a list")
        }
        return elements.enumerated().map { .json($1, file: file, key: "\(key)[\($0)]") }
    }

    private var number: String? {
        switch self {
        case .text(let text, _), .json(.number(let text), _, _): text
        case .json: nil
        }
    }
}

extension StringProtocol {
    /// Whether the text consists only of ASCII letters, digits and `others`.
    func isMadeOfLettersDigits(and others: String) -> Bool {
        allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || others.contains($0)) }
    }
}

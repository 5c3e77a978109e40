internal import Deployment

/// What is given for a setting, and where, before it is known whether it makes sense.
///
/// Its conversions throw a ``UsageError`` that names the place, the value and what would do there.
struct SettingValue {
    enum Place: Equatable {
        case variable(String)
        /// A parameter of `-kernel` in `ELIXIR_ERL_OPTIONS`.
        case kernel(String)
        /// A key of a configuration file, such as `applications[1].replicas`.
        case file(String, key: String)
    }

    private enum Given {
        case text(String)
        case json(JSONValue)
    }

    let place: Place
    private let given: Given

    init(_ text: String, in place: Place) {
        self.place = place
        given = .text(text)
    }

    init(_ value: JSONValue, in place: Place) {
        self.place = place
        given = .json(value)
    }

    /// - Parameter takes: what would do, such as "a whole number from 1 to 100".
    func failure(_ takes: String) -> UsageError {
        let message =
            switch place {
            case .variable(let name): "\(name)=\(shown): \(takes)"
            case .kernel(let name): "-kernel \(name)=\(shown): \(takes)"
            case .file(let path, let key): "\(path): \(key): \(takes), not \(shown)"
            }
        return UsageError(message, "start")
    }

    /// The place alone, for errors about two settings.
    var name: String {
        switch place {
        case .variable(let name): name
        case .kernel(let name): "-kernel \(name)"
        case .file(_, let key): key
        }
    }

    private var shown: String {
        switch given {
        case .text(let text): text
        case .json(.null): "null"
        case .json(.bool(let value)): "\(value)"
        case .json(.number(let text)): text
        case .json(.string(let text)): "\"\(text.prefix(64))\""
        case .json(let value): value.kind
        }
    }

    // MARK: Conversions

    func integer(in range: ClosedRange<Int>) throws(UsageError) -> Int {
        guard let text = number, let value = Int(text), range.contains(value) else {
            throw failure("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Seconds, with a fraction if need be.
    func duration() throws(UsageError) -> Duration {
        guard let text = number, let seconds = Double(text), seconds >= 0.05, seconds <= 86_400
        else { throw failure("seconds from 0.05 to 86400") }
        return .seconds(seconds)
    }

    func boolean() throws(UsageError) -> Bool {
        switch given {
        case .text("true"), .json(.bool(true)): return true
        case .text("false"), .json(.bool(false)): return false
        case .text, .json: throw failure("true or false")
        }
    }

    func text() throws(UsageError) -> String {
        switch given {
        case .text(let text), .json(.string(let text)): return text
        case .json: throw failure("a string")
        }
    }

    /// An absolute path, without a slash at its end.
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
        let isPlain = text.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0))
        }
        guard isPlain, !text.isEmpty, !text.hasPrefix("."), !text.hasPrefix("-"), text.count <= 64
        else { throw failure("letters, digits, _ and - only, 64 at most") }
        return text
    }

    /// Words: with commas between them in a variable, a list of strings in the file.
    func words() throws(UsageError) -> [String] {
        switch given {
        case .text(let text):
            return text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter {
                !$0.isEmpty
            }
        case .json(.array(let elements)):
            var words: [String] = []
            for element in elements {
                guard case .string(let word) = element else { throw failure("a list of strings") }
                words.append(word)
            }
            return words
        case .json: throw failure("a list of strings")
        }
    }

    /// The members of an object, which only the file can hold.
    func members() throws(UsageError) -> [(key: String, value: SettingValue)] {
        guard case .json(.object(let members)) = given, case .file(let path, let key) = place
        else { throw failure("an object") }
        return members.map { member in
            (
                member.key,
                SettingValue(member.value, in: .file(path, key: "\(key).\(member.key)"))
            )
        }
    }

    private var number: String? {
        switch given {
        case .text(let text), .json(.number(let text)): text
        case .json: nil
        }
    }
}

/// Splits a command into words as a POSIX shell does, and does nothing else of what a shell does:
/// no variables, no patterns, no substitution.
///
/// Source: Python's `shlex.split`, which botocore splits `credential_process` with.
enum CommandWords {
    enum Problem: Error, Equatable, CustomStringConvertible {
        case openQuote
        case nothingEscaped

        var description: String {
            switch self {
            case .openQuote: "a quotation mark is not closed"
            case .nothingEscaped: "nothing follows the last backslash"
            }
        }
    }

    static func split(_ text: String) throws(Problem) -> [String] {
        let (single, double) = (UInt8(ascii: "'"), UInt8(ascii: "\""))
        let backslash = UInt8(ascii: "\\")
        var words: [String] = []
        var word: [UInt8] = []
        /// A word may be empty, in quotes.
        var isInWord = false
        var quote: UInt8?
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if quote == nil, " \t\r\n".utf8.contains(byte) {
                if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
                word = []
                isInWord = false
                continue
            }
            isInWord = true
            if byte == backslash, quote != single {
                guard let next = rest.popFirst() else {
                    throw quote == nil ? .nothingEscaped : .openQuote
                }
                // Within quotes a backslash is itself, except before what it has to escape.
                if quote == double, next != double, next != backslash { word.append(backslash) }
                word.append(next)
            } else if byte == quote {
                quote = nil
            } else if quote == nil, byte == single || byte == double {
                quote = byte
            } else {
                word.append(byte)
            }
        }
        guard quote == nil else { throw .openQuote }
        if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
        return words
    }
}

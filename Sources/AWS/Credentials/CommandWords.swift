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
        var word: [UInt8]?
        var quote: UInt8?
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == backslash, quote != single {
                guard let next = rest.popFirst() else {
                    throw quote == nil ? .nothingEscaped : .openQuote
                }
                // Within quotes a backslash is itself, except before what it has to escape.
                let isKept = quote == double && next != double && next != backslash
                word = (word ?? []) + (isKept ? [backslash, next] : [next])
            } else if byte == quote {
                quote = nil
            } else if quote != nil {
                word = (word ?? []) + [byte]
            } else if byte == single || byte == double {
                quote = byte
                word = word ?? []
            } else if " \t\r\n".utf8.contains(byte) {
                if let ended = word { words.append(String(decoding: ended, as: UTF8.self)) }
                word = nil
            } else {
                word = (word ?? []) + [byte]
            }
        }
        guard quote == nil else { throw .openQuote }
        if let word { words.append(String(decoding: word, as: UTF8.self)) }
        return words
    }
}

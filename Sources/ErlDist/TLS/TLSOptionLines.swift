/// On which lines of an Erlang text the first elements of tuples are, for errors: a term does not
/// know where it stood.
struct TLSOptionLines {
    private struct Entry {
        var name: String
        var line: Int
    }

    private var entries: [Entry] = []

    init(_ text: String) {
        var scanner = Scanner(Array(text.unicodeScalars))
        while let entry = scanner.next() {
            entries.append(Entry(name: entry.name, line: entry.line))
        }
    }

    /// The line of `{section,`, or of the given occurrence of `{option,` in it.
    func line(
        of option: String? = nil, occurrence: Int = 0, in section: TLSOptionError.Section
    ) -> Int? {
        guard let start = entries.firstIndex(where: { $0.name == section.rawValue }) else {
            return nil
        }
        guard let option else { return entries[start].line }
        let others = TLSOptionError.Section.allCases.map(\.rawValue)
        let body = entries[(start + 1)...].prefix { !others.contains($0.name) }
        return body.filter { $0.name == option }.dropFirst(occurrence).first?.line
    }

    private struct Scanner {
        private let text: [Unicode.Scalar]
        private var position = 0
        private var line = 1

        init(_ text: [Unicode.Scalar]) {
            self.text = text
        }

        /// The next atom right after an opening brace.
        mutating func next() -> (name: String, line: Int)? {
            var isAfterBrace = false
            while position < text.count {
                let scalar = text[position]
                switch scalar {
                case "\n", " ", "\t", "\r": advance()
                case "%": while position < text.count, text[position] != "\n" { advance() }
                case "{":
                    isAfterBrace = true
                    advance()
                case "$":
                    // A character, which may be a quote or a brace.
                    advance()
                    if position < text.count, text[position] == "\\" { advance() }
                    advance()
                    isAfterBrace = false
                case "\"":
                    _ = quoted("\"")
                    isAfterBrace = false
                case "'":
                    let line = line
                    let name = quoted("'")
                    if isAfterBrace { return (name, line) }
                case "a"..."z":
                    let line = line
                    let name = word()
                    if isAfterBrace { return (name, line) }
                default:
                    advance()
                    isAfterBrace = false
                }
            }
            return nil
        }

        private mutating func advance() {
            guard position < text.count else { return }
            if text[position] == "\n" { line += 1 }
            position += 1
        }

        private mutating func quoted(_ quote: Unicode.Scalar) -> String {
            var content = String.UnicodeScalarView()
            advance()
            while position < text.count, text[position] != quote {
                if text[position] == "\\" { advance() }
                if position < text.count { content.append(text[position]) }
                advance()
            }
            advance()
            return String(content)
        }

        private mutating func word() -> String {
            var content = String.UnicodeScalarView()
            while position < text.count {
                let scalar = text[position]
                guard
                    scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                        || scalar == "_" || scalar == "@"
                else { break }
                content.append(scalar)
                advance()
            }
            return String(content)
        }
    }
}

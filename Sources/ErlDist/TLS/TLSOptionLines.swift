internal import ExternalTermFormat

/// Finds, for errors, the lines on which the first elements of tuples stand in an Erlang text. A
/// term does not know where it stood.
struct TLSOptionLines {
    private struct Entry {
        var name: String
        var line: Int
    }

    private var entries: [Entry] = []

    /// Reads a text that was read as terms before, so that each of its tokens is valid.
    init(_ text: String) {
        var scanner = TextScanner(Array(text.unicodeScalars))
        var (line, former) = (1, (token: TextToken.end, start: 0))
        while let token = try? scanner.token(), token != .end {
            line += scanner.scalars[former.start..<scanner.tokenStart].count(where: { $0 == "\n" })
            if case .atom(let name) = token, former.token == .symbol(.openBrace) {
                entries.append(Entry(name: name.name, line: line))
            }
            former = (token, scanner.tokenStart)
        }
    }

    /// The line of `{section,`, or of the given occurrence of `{option,` in that section.
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
}

internal import Glibc

/// How many columns of a terminal text fills, and how it is made to fit.
enum TextColumns {
    /// How many columns a line on stdout may fill: what `COLUMNS` says, as for ps(1) and ls(1), or
    /// else the terminal. `nil` where nothing limits it, as in a file.
    static var available: Int? {
        available(
            variable: getenv("COLUMNS").map { String(cString: $0) },
            terminal: isatty(STDOUT_FILENO) == 1 ? terminal : nil)
    }

    /// How many lines the terminal on stdout shows at once.
    static var availableRows: Int {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
        return isKnown ? Int(size.ws_row) : 24
    }

    /// - Parameter terminal: the terminal's columns; 0 if it does not know them, `nil` for none.
    static func available(variable: String?, terminal: Int?) -> Int? {
        if let text = variable, let columns = Int(text), columns > 0 {
            return max(columns, narrowest)
        }
        return terminal.map { $0 == 0 ? usual : max($0, narrowest) }
    }

    private static let narrowest = 20
    private static let usual = 80

    private static var terminal: Int {
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_col) : 0
    }

    static func count(_ text: some StringProtocol) -> Int {
        if text.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    /// Source: Unicode Standard Annex 11, as far as its blocks go.
    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        return switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            2
        default: 1
        }
    }

    /// The text, cut where it is longer than `columns`; then it ends with "…".
    static func cut(_ text: String, to columns: Int) -> String {
        guard count(text) > columns else { return text }
        return String(prefix(of: text[...], columns: max(columns - 1, 0))) + "…"
    }

    /// The longest beginning that fills no more than `columns`.
    private static func prefix(of text: Substring, columns: Int) -> Substring {
        var (end, filled) = (text.startIndex, 0)
        while end < text.endIndex {
            filled += count(String(text[end]))
            guard filled <= columns else { break }
            end = text.index(after: end)
        }
        return text[..<end]
    }

    /// The text in lines of `columns` at most, divided between words. Every line but the first
    /// begins with `indent` spaces. A word that is longer than a line is divided as well.
    static func fold(_ text: String, to columns: Int?, indent: Int = 2) -> [String] {
        guard let columns, count(text) > columns else { return [text] }
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var (line, begin) = ("", true)
        var rest = text[...]
        while !rest.isEmpty {
            let gap = rest.prefix { $0 == " " }
            var word = rest.dropFirst(gap.count).prefix { $0 != " " }
            rest = rest.dropFirst(gap.count + word.count)
            if begin || count(line) + count(gap) + count(word) <= columns {
                line += gap
            } else {
                lines.append(line)
                line = margin
            }
            while count(line) + count(word) > columns {
                let part = prefix(of: word, columns: columns - count(line))
                // A character that is wider than what is left still makes progress.
                let taken = part.isEmpty ? word.prefix(1) : part
                lines.append(line + taken)
                word = word.dropFirst(taken.count)
                line = margin
            }
            line += word
            begin = false
        }
        return lines + (line.allSatisfy { $0 == " " } ? [] : [line])
    }
}

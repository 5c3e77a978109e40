internal import Glibc

/// Shows lines in place of those that it has shown before, on a terminal. Everything goes there in
/// one write and nothing is erased before it is written over, so it does not flicker.
struct Screen {
    private var isFirst = true

    /// - Parameter lines: the ones that do not fit the terminal's height are left out.
    mutating func show(_ lines: [StyledLine]) {
        Output.terminal(Self.text(lines, rows: TextColumns.availableRows, isFirst: isFirst))
        isFirst = false
    }

    static func text(_ lines: [StyledLine], rows: Int, isFirst: Bool) -> String {
        // The cursor stays below the last line, where other output may follow.
        let room = max(rows - 1, 1)
        var shown = lines.map(\.rendered)
        if shown.count > room {
            let left = shown.count - room + 1
            shown = shown.prefix(room - 1) + ["… and \(left) more lines"]
        }
        let home = isFirst ? "\u{1B}[2J\u{1B}[H" : "\u{1B}[H"
        return home + shown.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
    }
}

internal import Transport

/// Columns for people: each as wide as its widest cell, with two spaces between them. Where they do
/// not fit, columns are left out, and at last cells are cut.
struct Table {
    private var rows: [Row]
    /// The columns that may be left out, the least important first.
    private let expendable: [Int]

    private struct Row {
        var cells: [Cell]
        /// A text below the row.
        var note: String?
    }

    /// A cell's text, and the codes around it on a terminal.
    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var colour: Colour?

        init(_ text: String, _ colour: Colour? = nil) {
            // Make the text safe before it is measured.
            self.text = SafeText.line(text)
            self.colour = colour
        }

        init(stringLiteral text: String) {
            self.init(text)
        }
    }

    /// - Parameter expendable: names of columns, in the order in which they are left out where
    ///   there is no room for all.
    init(header: [String], expendable: [String] = []) {
        rows = [Row(cells: header.map { Cell($0) })]
        self.expendable = expendable.map { name in
            guard let column = header.firstIndex(of: name) else {
                preconditionFailure("\(name) is a column")
            }
            return column
        }
    }

    mutating func append(_ row: [String]) {
        append(row.map { Cell($0) })
    }

    /// - Parameter note: a text for the lines below the row.
    mutating func append(_ row: [Cell], note: String? = nil) {
        precondition(row.count == rows[0].cells.count, "A row has as many cells as the header")
        rows.append(Row(cells: row, note: note))
    }

    private static let gap = 2

    /// - Parameter columns: how many columns a line may fill; `nil` for any number.
    func lines(within columns: Int?) -> [StyledLine] {
        let (shown, widths) = layout(within: columns)
        return rows.flatMap { row in
            let line = Self.line(shown.map { row.cells[$0] }, widths)
            guard let note = row.note else { return [line] }
            let notes = TextColumns.fold("    " + SafeText.line(note), to: columns, indent: 4)
            return [line] + notes.map { StyledLine($0) }
        }
    }

    /// The columns that are shown, and how wide each is.
    private func layout(within limit: Int?) -> (shown: [Int], widths: [Int]) {
        let all = rows[0].cells.indices.map { column in
            rows.map { TextColumns.count($0.cells[column].text) }.max() ?? 0
        }
        var shown = Array(all.indices)
        func total(_ widths: [Int]) -> Int {
            widths.reduce(0, +) + Self.gap * max(widths.count - 1, 0)
        }
        guard let limit else { return (shown, all) }
        for column in expendable where total(shown.map { all[$0] }) > limit {
            shown.removeAll { $0 == column }
        }
        var widths = shown.map { all[$0] }
        while total(widths) > limit, let widest = widths.max(), widest > 1,
            let index = widths.firstIndex(of: widest)
        {
            widths[index] = widest - 1
        }
        return (shown, widths)
    }

    private static func line(_ cells: [Cell], _ widths: [Int]) -> StyledLine {
        var line = StyledLine()
        var space = 0
        for (cell, width) in zip(cells, widths) {
            let text = TextColumns.cut(cell.text, to: width)
            // Leave out spaces at the end of the line.
            if !text.isEmpty {
                line.append(String(repeating: " ", count: space))
                line.append(text, cell.colour)
                space = 0
            }
            space += width - TextColumns.count(text) + gap
        }
        return line
    }
}

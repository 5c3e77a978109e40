internal import Transport

/// Columns for people: each as wide as its widest cell, with two spaces between them.
struct Table {
    private var rows: [[Cell]]

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

    init(header: [String]) {
        rows = [header.map { Cell($0) }]
    }

    mutating func append(_ row: [String]) {
        append(row.map { Cell($0) })
    }

    mutating func append(_ row: [Cell]) {
        precondition(row.count == rows[0].count, "A row has as many cells as the header")
        rows.append(row)
    }

    var lines: [StyledLine] {
        let widths = rows[0].indices.map { column in
            rows.map { $0[column].text.count }.max() ?? 0
        }
        return rows.map { row in
            var line = StyledLine()
            var gap = 0
            for (cell, width) in zip(row, widths) {
                // Leave out spaces at the end of the line.
                if !cell.text.isEmpty {
                    line.append(String(repeating: " ", count: gap))
                    line.append(cell.text, cell.colour)
                    gap = 0
                }
                gap += width - cell.text.count + 2
            }
            return line
        }
    }
}

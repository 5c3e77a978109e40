/// Columns for people: as wide as their widest cell, two spaces apart.
struct Table {
    private var rows: [[Cell]]

    /// Text, and what stands around it on a terminal.
    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var colour: Colour?

        init(_ text: String, _ colour: Colour? = nil) {
            self.text = text
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

    var lines: [String] {
        let widths = rows[0].indices.map { column in
            rows.map { $0[column].text.count }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            var gap = 0
            for (cell, width) in zip(row, widths) {
                // Nothing but spaces to the end of the line is left out.
                if !cell.text.isEmpty {
                    line += String(repeating: " ", count: gap)
                    line += cell.colour.map { $0.around(cell.text) } ?? cell.text
                    gap = 0
                }
                gap += width - cell.text.count + 2
            }
            return line
        }
    }
}

/// What a terminal shows text in.
enum Colour: Int {
    case red = 31
    case green = 32
    case yellow = 33

    func around(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}

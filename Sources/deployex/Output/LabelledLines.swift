/// Lines of a label and a text each, below a title, as `verify` and `preflight` print them.
struct LabelledLines {
    private(set) var lines: [StyledLine] = []
    private let columns: Int?
    private static let labelWidth = 12

    init(within columns: Int?) {
        self.columns = columns
    }

    mutating func title(_ text: String) { fold(text, indent: 2) }

    /// Nothing for a text that is missing or empty.
    mutating func add(_ label: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        let space = String(repeating: " ", count: max(1, Self.labelWidth - label.count))
        fold("  \(label)\(space)\(text)", indent: 2 + Self.labelWidth)
    }

    private mutating func fold(_ text: String, indent: Int) {
        lines += TextColumns.fold(StyledLine(text).text, to: columns, indent: indent)
            .map { StyledLine($0) }
    }
}

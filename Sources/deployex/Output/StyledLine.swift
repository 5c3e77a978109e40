internal import Transport

/// A line with parts in colour. Its text may come from others: rendering makes it safe, and leaves
/// only our colours.
struct StyledLine: Equatable, ExpressibleByStringLiteral {
    struct Span: Equatable {
        var text: String
        var colour: Colour?
    }

    private(set) var spans: [Span] = []

    init() {}

    init(_ text: String, _ colour: Colour? = nil) {
        append(text, colour)
    }

    init(stringLiteral text: String) {
        self.init(text)
    }

    mutating func append(_ text: String, _ colour: Colour? = nil) {
        spans.append(Span(text: SafeText.line(text), colour: colour))
    }

    /// The text without colours.
    var text: String { spans.map(\.text).joined() }

    /// The line for a terminal.
    var rendered: String {
        spans.map { span in span.colour.map { $0.around(span.text) } ?? span.text }.joined()
    }
}

/// The colours in which a terminal shows text.
enum Colour: Int {
    case red = 31
    case green = 32
    case yellow = 33
    case cyan = 36

    func around(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}

/// One token of Erlang's text syntax.
package enum TextToken: Equatable {
    case atom(Atom)
    /// A keyword such as `fun` or `after`.
    case reserved(String)
    case variable(String)
    case integer(Term)
    /// `$a`. Where a term is wanted it is an integer; elsewhere it is not.
    case character(Unicode.Scalar)
    case float(Double)
    case string([Unicode.Scalar])
    case symbol(Symbol)
    /// A dot that is followed by white space, a comment or the end of the text.
    case dot
    case end

    package enum Symbol: String, CaseIterable {
        case openBracket = "["
        case closeBracket = "]"
        case openBrace = "{"
        case closeBrace = "}"
        case openParenthesis = "("
        case closeParenthesis = ")"
        case openBinary = "<<"
        case closeBinary = ">>"
        case comma = ","
        case bar = "|"
        case colon = ":"
        case slash = "/"
        case hash = "#"
        case plus = "+"
        case minus = "-"
        case arrow = "=>"
    }

    /// The token as an error shows it, at most a line long.
    var text: String {
        switch self {
        case .atom(let atom): Term.atom(atom).erlangText(maximumByteCount: 60)
        case .reserved(let word), .variable(let word): String(word.prefix(60))
        case .integer(let value): value.erlangText(maximumByteCount: 60)
        case .character(let scalar): "$\(scalar)"
        case .float(let value): Term.float(value).erlangText()
        case .string: "a string"
        case .symbol(let symbol): symbol.rawValue
        case .dot: "a dot"
        case .end: "end of text"
        }
    }
}

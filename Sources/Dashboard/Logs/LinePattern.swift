/// A regular expression for lines of text, as a tree.
///
/// It is a subset that can be matched in a time proportional to the text's length:
///
/// | syntax | matches |
/// |---|---|
/// | `a`, `é` | the character itself |
/// | `.` | any character |
/// | `[a-z_]`, `[^a-z]` | one of these characters; one that is none of these |
/// | `\d` `\w` `\s`, `\D` `\W` `\S` | ASCII digits; letters, digits and `_`; white space; all others |
/// | `\t`, `\.` and other signs | a tab; the sign itself |
/// | `(x)`, `(?:x)`, `x\|y` | a group; one or the other |
/// | `x*` `x+` `x?` `x{2}` `x{2,}` `x{2,5}` | so many of them; a `?` behind it changes nothing |
/// | `^`, `$` | the line's begin and end |
///
/// There are no references back and no looks ahead or behind: they need more time than a search
/// may take.
package indirect enum LinePattern: Equatable, Sendable {
    case empty
    case scalars(ScalarSet)
    case sequence([LinePattern])
    case choice([LinePattern])
    /// - Parameter maximum: `nil` for any number.
    case repeated(LinePattern, minimum: Int, maximum: Int?)
    case lineBegin
    case lineEnd

    /// The longest pattern, in bytes.
    package static let maximumByteCount = 1_000
    /// The most repetitions that can be written as a number.
    static let maximumRepetition = 1_000
    /// How deep groups may be nested.
    static let maximumDepth = 50

    /// - Throws: ``LinePatternError`` when it is no pattern of the subset.
    package init(parsing text: String, ignoringCase: Bool = false) throws(LinePatternError) {
        guard text.utf8.count <= Self.maximumByteCount else { throw .tooLong }
        var parser = LinePatternParser(text, ignoringCase: ignoringCase)
        self = try parser.pattern()
    }

    /// The text itself, whatever signs it has.
    package init(literal text: String, ignoringCase: Bool = false) throws(LinePatternError) {
        guard text.utf8.count <= Self.maximumByteCount else { throw .tooLong }
        self = .sequence(
            text.unicodeScalars.map { .scalars(ScalarSet($0, ignoringCase: ignoringCase)) })
    }
}

/// Why a text is no pattern. Offsets count characters (Unicode's scalars) from 0.
package enum LinePatternError: Error, Equatable, CustomStringConvertible {
    case tooLong
    case tooDeep(offset: Int)
    /// The pattern ends within a group, a class, an escape or a number.
    case endsTooEarly
    case unexpected(Unicode.Scalar, offset: Int)
    /// A number of repetitions, or a range, whose end comes before its begin or is too large.
    case badRange(offset: Int)
    /// Something that other engines know and this one does not.
    case unsupported(String, offset: Int)
    /// Its repetitions make it too large.
    case tooLarge

    package var description: String {
        switch self {
        case .tooLong: "a pattern has at most \(LinePattern.maximumByteCount) bytes"
        case .tooDeep(let offset):
            "at character \(offset + 1): groups are nested more than \(LinePattern.maximumDepth) deep"
        case .endsTooEarly: "the pattern ends too early: a group, a class or an escape is open"
        case .unexpected(let scalar, let offset):
            "at character \(offset + 1): \(String(scalar).debugDescription) is not expected here"
        case .badRange(let offset):
            "at character \(offset + 1): a range or a number of repetitions is wrong; at most "
                + "\(LinePattern.maximumRepetition) can be asked for"
        case .unsupported(let what, let offset):
            "at character \(offset + 1): \(what) is not supported"
        case .tooLarge: "the pattern's repetitions make it too large"
        }
    }
}

/// Reads a ``LinePattern`` by recursive descent. The depth is limited.
private struct LinePatternParser {
    private let scalars: [Unicode.Scalar]
    private let ignoresCase: Bool
    private var index = 0
    private var depth = 0

    init(_ text: String, ignoringCase: Bool) {
        scalars = Array(text.unicodeScalars)
        ignoresCase = ignoringCase
    }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func take() throws(LinePatternError) -> Unicode.Scalar {
        guard let scalar = next else { throw .endsTooEarly }
        index += 1
        return scalar
    }

    private mutating func takeIf(_ wanted: Unicode.Scalar) -> Bool {
        guard next == wanted else { return false }
        index += 1
        return true
    }

    mutating func pattern() throws(LinePatternError) -> LinePattern {
        let pattern = try choice()
        // Only a closing parenthesis ends a choice before the end.
        if let rest = next { throw .unexpected(rest, offset: index) }
        return pattern
    }

    private mutating func choice() throws(LinePatternError) -> LinePattern {
        var alternatives = [try sequence()]
        while takeIf("|") { alternatives.append(try sequence()) }
        return alternatives.count == 1 ? alternatives[0] : .choice(alternatives)
    }

    private mutating func sequence() throws(LinePatternError) -> LinePattern {
        var elements: [LinePattern] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            elements.append(try repetition(of: try atom()))
        }
        switch elements.count {
        case 0: return .empty
        case 1: return elements[0]
        default: return .sequence(elements)
        }
    }

    private mutating func repetition(
        of atom: LinePattern
    ) throws(LinePatternError) -> LinePattern {
        let (minimum, maximum): (Int, Int?)
        let begin = index
        switch next {
        case "*": (minimum, maximum) = (0, nil)
        case "+": (minimum, maximum) = (1, nil)
        case "?": (minimum, maximum) = (0, 1)
        case "{":
            index += 1
            (minimum, maximum) = try numbers()
        default: return atom
        }
        if scalars[begin] != "{" { index += 1 }
        // Whether as many or as few as possible are taken does not change whether there is a match.
        _ = takeIf("?")
        if let again = next, "*+?{".unicodeScalars.contains(again) {
            throw .unexpected(again, offset: index)
        }
        return .repeated(atom, minimum: minimum, maximum: maximum)
    }

    /// What follows `{`.
    private mutating func numbers() throws(LinePatternError) -> (Int, Int?) {
        let begin = index
        let minimum = try number()
        var maximum: Int? = minimum
        if takeIf(",") { maximum = next == "}" ? nil : try number() }
        let end = try take()
        guard end == "}" else { throw .unexpected(end, offset: index - 1) }
        if let maximum, maximum < minimum { throw .badRange(offset: begin) }
        return (minimum, maximum)
    }

    private mutating func number() throws(LinePatternError) -> Int {
        let begin = index
        var value = 0
        while let scalar = next, "0"..."9" ~= scalar {
            value = value * 10 + Int(scalar.value - 48)
            guard value <= LinePattern.maximumRepetition else { throw .badRange(offset: begin) }
            index += 1
        }
        guard index > begin else {
            if let scalar = next { throw .unexpected(scalar, offset: index) }
            throw .endsTooEarly
        }
        return value
    }

    private mutating func atom() throws(LinePatternError) -> LinePattern {
        let offset = index
        let scalar = try take()
        switch scalar {
        case ".": return .scalars(.all)
        case "^": return .lineBegin
        case "$": return .lineEnd
        case "(": return try group(offset)
        case "[": return .scalars(try characterClass())
        case "\\": return .scalars(try escaped())
        case "*", "+", "?", "{": throw .unexpected(scalar, offset: offset)
        default: return .scalars(ScalarSet(scalar, ignoringCase: ignoresCase))
        }
    }

    private mutating func group(_ offset: Int) throws(LinePatternError) -> LinePattern {
        if takeIf("?") {
            guard try take() == ":" else {
                throw .unsupported("a group with (? that is not (?:", offset: offset)
            }
        }
        depth += 1
        guard depth <= LinePattern.maximumDepth else { throw .tooDeep(offset: offset) }
        let pattern = try choice()
        depth -= 1
        guard takeIf(")") else { throw .endsTooEarly }
        return pattern
    }

    /// What follows a backslash.
    private mutating func escaped() throws(LinePatternError) -> ScalarSet {
        let offset = index
        let scalar = try take()
        switch scalar {
        case "d": return .digits
        case "D": return ScalarSet.digits.inverted
        case "w": return .wordCharacters
        case "W": return ScalarSet.wordCharacters.inverted
        case "s": return .whiteSpace
        case "S": return ScalarSet.whiteSpace.inverted
        case "t": return ScalarSet("\t")
        case "e": return ScalarSet("\u{1B}")
        case "a"..."z", "A"..."Z", "0"..."9":
            throw .unsupported("\\\(scalar)", offset: offset - 1)
        default: return ScalarSet(scalar, ignoringCase: ignoresCase)
        }
    }

    /// What follows `[`. A `]` that comes first is a character, as is a `-` at either end.
    private mutating func characterClass() throws(LinePatternError) -> ScalarSet {
        let isInverted = takeIf("^")
        var set = ScalarSet()
        var isFirst = true
        while isFirst || next != "]" {
            isFirst = false
            let offset = index
            let (members, single) = try classMember()
            guard next == "-", index + 1 < scalars.count, scalars[index + 1] != "]" else {
                set.formUnion(members)
                continue
            }
            index += 1
            let (_, last) = try classMember()
            guard let first = single, let last, first <= last else {
                throw .badRange(offset: offset)
            }
            set.insert(first...last, ignoringCase: ignoresCase)
        }
        _ = try take()
        return isInverted ? set.inverted : set
    }

    /// - Returns: also the character itself, where it is one that can begin or end a range.
    private mutating func classMember() throws(LinePatternError) -> (ScalarSet, Unicode.Scalar?) {
        let offset = index
        let scalar = try take()
        switch scalar {
        case "\\":
            let set = try escaped()
            return (set, scalars[index - 1].properties.isAlphabetic ? set.only : scalars[index - 1])
        case "[" where next == ":" || next == "." || next == "=":
            throw .unsupported("a named class", offset: offset)
        default: return (ScalarSet(scalar, ignoringCase: ignoresCase), scalar)
        }
    }
}

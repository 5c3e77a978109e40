/// Where and why a text does not consist of Erlang terms.
public struct TextError: Error, Equatable, Sendable {
    /// Counted from 1.
    public var line: Int
    /// Counted from 1, in Unicode scalars.
    public var column: Int
    /// What is wrong there.
    public var reason: Reason

    /// An error at a place in a text.
    public init(line: Int, column: Int, reason: Reason) {
        self.line = line
        self.column = column
        self.reason = reason
    }

    /// What can be wrong with a text.
    public enum Reason: Error, Equatable, Sendable {
        /// Something else is here than what was wanted. At the end of the text `found` is
        /// `end of text`.
        case unexpected(found: String, wanted: Wanted)
        /// The text ends inside a string, quoted atom or character.
        case unterminated(Wanted)
        /// An escape means no character, such as `\x{110000}`.
        case invalidEscape
        /// Nothing in Erlang begins with this character.
        case invalidCharacter(Unicode.Scalar)
        /// Digits do not fit their base, or a float is out of range.
        case invalidNumber
        /// An integer is larger than ``BigInteger/maximumDecimalByteCount`` allows.
        case numberTooLong
        /// An atom has more characters than ``Atom/maximumLength``.
        case atomTooLong(length: Int)
        /// The value, size and type of a binary's segment do not fit each other.
        case invalidSegment
        /// Two keys of a map differ only in the sign of a zero. Up to OTP 26 they are one key.
        case zeroKeys
        /// Lists, tuples and maps are nested deeper than ``TextLimits/maximumDepth``.
        case tooDeep(maximum: Int)
        /// There are more terms than ``TextLimits/maximumTerms``.
        case tooManyTerms(maximum: Int)
        /// A text, or the binaries in it, has more bytes than ``TextLimits/maximumByteCount``.
        case tooLong(maximum: Int)
        /// The text is not UTF-8.
        case invalidUTF8
    }

    /// What would have been valid there.
    public enum Wanted: String, Sendable {
        case term = "a term"
        case dot = "a dot"
        case endOfText = "the end"
        case atom = "an atom"
        case integer = "an integer"
        case number = "a number"
        case string = "a string"
        case character = "a character"
        case quotedAtom = "a quoted atom"
        case commaOrBracket = ", or | or ]"
        case commaOrBrace = ", or }"
        case closingBracket = "]"
        case closingParenthesis = ")"
        case arrow = "=>"
        case openingBrace = "{"
        case colon = ":"
        case slash = "/"
        case commaOrBinaryEnd = ", or >>"
        case segment = "a number, string or binary"
        case segmentType = "a segment type"
        case segmentSize = "a segment size"
    }
}

extension TextError: CustomStringConvertible {
    /// `line 3, column 14: found } where a term was wanted`
    public var description: String { "line \(line), column \(column): \(reason)" }
}

extension TextError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unexpected(let found, let wanted): "found \(found) where \(wanted) was wanted"
        case .unterminated(let what): "the text ends inside \(what)"
        case .invalidEscape: "this escape stands for no character"
        case .invalidCharacter(let scalar): "\(scalar.debugDescription) begins no term"
        case .invalidNumber: "this is no number that Erlang can hold"
        case .numberTooLong: "this integer is too long"
        case .atomTooLong(let length):
            "an atom of \(length) characters; the longest has \(Atom.maximumLength)"
        case .invalidSegment: "the value, size and type of this segment do not go together"
        case .zeroKeys:
            "0.0 and -0.0 tell two keys of this map apart, which only OTP 27 and later do"
        case .tooDeep(let maximum): "nested deeper than \(maximum)"
        case .tooManyTerms(let maximum): "more than \(maximum) terms"
        case .tooLong(let maximum): "more than \(maximum) bytes"
        case .invalidUTF8: "the text is not UTF-8"
        }
    }
}

extension TextError.Wanted: CustomStringConvertible {
    public var description: String { rawValue }
}

/// How much a text may make the reader do.
public struct TextLimits: Sendable, Equatable {
    /// How deep lists, tuples, maps and binaries may be nested; see
    /// ``DecodingLimits/maximumDepth``.
    public var maximumDepth: Int
    /// How many terms there may be in all. Each character of a string counts.
    public var maximumTerms: Int
    /// How long the text may be, and how many bytes its binaries may have in all.
    public var maximumByteCount: Int

    /// By default the limits suit any file that a person has written.
    public init(
        maximumDepth: Int = 128, maximumTerms: Int = 4_194_304, maximumByteCount: Int = 16_777_216
    ) {
        self.maximumDepth = maximumDepth
        self.maximumTerms = maximumTerms
        self.maximumByteCount = maximumByteCount
    }

    /// 128 levels, 4 Mi terms, 16 MiB of text.
    public static let `default` = TextLimits()
}

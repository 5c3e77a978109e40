/// Cuts a text into tokens, as OTP's `erl_scan` does.
///
/// Positions are offsets into the text's scalars. Only an error converts one to a line and a
/// column.
package struct TextScanner {
    package let scalars: [Unicode.Scalar]
    private(set) var offset = 0
    /// Where the last token began.
    package private(set) var tokenStart = 0

    package init(_ scalars: [Unicode.Scalar]) {
        self.scalars = scalars
    }

    func error(_ reason: TextError.Reason, at offset: Int) -> TextError {
        var (line, column) = (1, 1)
        for scalar in scalars[..<min(offset, scalars.count)] {
            column += 1
            if scalar == "\n" { (line, column) = (line + 1, 1) }
        }
        return TextError(line: line, column: column, reason: reason)
    }

    /// The next scalar, or one of those after it.
    func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        offset + distance < scalars.count ? scalars[offset + distance] : nil
    }

    mutating func advance() -> Unicode.Scalar? {
        guard offset < scalars.count else { return nil }
        offset += 1
        return scalars[offset - 1]
    }

    package mutating func token() throws(TextError) -> TextToken {
        skipBlanks()
        tokenStart = offset
        guard let first = peek() else { return .end }
        switch first {
        case "0"..."9":
            return try number()
        case "'":
            return .atom(try atom(named: try quoted("'", .quotedAtom)))
        case "\"":
            return .string(try quoted("\"", .string))
        case "$":
            return try character()
        case ".":
            return try dot()
        default:
            if ErlangSyntax.startsAtom(first) { return try word() }
            if ErlangSyntax.startsVariable(first) { return .variable(name()) }
            return try symbol(first)
        }
    }

    private mutating func skipBlanks() {
        while let scalar = peek() {
            if scalar == "%" {
                while let next = peek(), next != "\n" { offset += 1 }
            } else if ErlangSyntax.isWhitespace(scalar) {
                offset += 1
            } else {
                return
            }
        }
    }

    private mutating func dot() throws(TextError) -> TextToken {
        offset += 1
        guard let next = peek() else { return .dot }
        guard next == "%" || ErlangSyntax.isWhitespace(next) else {
            throw error(.invalidCharacter("."), at: tokenStart)
        }
        return .dot
    }

    private mutating func symbol(_ first: Unicode.Scalar) throws(TextError) -> TextToken {
        if let second = peek(1) {
            let pair = String(String.UnicodeScalarView([first, second]))
            if let symbol = TextToken.Symbol(rawValue: pair) {
                offset += 2
                return .symbol(symbol)
            }
        }
        guard let symbol = TextToken.Symbol(rawValue: String(first)) else {
            throw error(.invalidCharacter(first), at: tokenStart)
        }
        offset += 1
        return .symbol(symbol)
    }

    // MARK: Words

    private mutating func name() -> String {
        let start = offset
        while let next = peek(), ErlangSyntax.continuesName(next) { offset += 1 }
        return String(String.UnicodeScalarView(scalars[start..<offset]))
    }

    private mutating func word() throws(TextError) -> TextToken {
        let name = name()
        if ErlangSyntax.isReserved(name) { return .reserved(name) }
        return .atom(try atom(named: Array(name.unicodeScalars)))
    }

    private func atom(named name: [Unicode.Scalar]) throws(TextError) -> Atom {
        guard name.count <= Atom.maximumLength else {
            throw error(.atomTooLong(length: name.count), at: tokenStart)
        }
        return Atom(shortEnough: String(String.UnicodeScalarView(name)))
    }

    // MARK: Quotes and characters

    /// Reads up to the closing quote, and resolves escapes.
    private mutating func quoted(
        _ quote: Unicode.Scalar, _ what: TextError.Wanted
    ) throws(TextError) -> [Unicode.Scalar] {
        offset += 1
        var content: [Unicode.Scalar] = []
        while let scalar = advance() {
            if scalar == quote { return content }
            content.append(scalar == "\\" ? try escape(in: what) : try plain(scalar))
        }
        throw error(.unterminated(what), at: tokenStart)
    }

    /// Reads `$a` or `$\n`.
    private mutating func character() throws(TextError) -> TextToken {
        offset += 1
        guard let scalar = advance() else {
            throw error(.unterminated(.character), at: tokenStart)
        }
        return .character(scalar == "\\" ? try escape(in: .character) : try plain(scalar))
    }

    /// The character that was just read; Erlang reads no U+FFFE and U+FFFF.
    private func plain(_ scalar: Unicode.Scalar) throws(TextError) -> Unicode.Scalar {
        guard !Self.isNoCharacter(scalar) else {
            throw error(.invalidCharacter(scalar), at: offset - 1)
        }
        return scalar
    }

    private static func isNoCharacter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value == 0xFFFE || scalar.value == 0xFFFF
    }

    /// Reads what follows a backslash: `erl_scan:scan_escape/2`.
    private mutating func escape(in what: TextError.Wanted) throws(TextError) -> Unicode.Scalar {
        let start = offset - 1
        guard let scalar = advance() else { throw error(.unterminated(what), at: tokenStart) }
        switch scalar {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "v": return "\u{0B}"
        case "b": return "\u{08}"
        case "f": return "\u{0C}"
        case "e": return "\u{1B}"
        case "s": return " "
        case "d": return "\u{7F}"
        case "0"..."7": return try octalEscape(first: scalar, at: start)
        case "x": return try hexadecimalEscape(in: what, at: start)
        case "^":
            guard let control = advance() else { throw error(.unterminated(what), at: tokenStart) }
            return Unicode.Scalar(UInt8(truncatingIfNeeded: control.value & 31))
        default: return scalar
        }
    }

    /// Reads one to three octal digits.
    private mutating func octalEscape(
        first: Unicode.Scalar, at start: Int
    ) throws(TextError) -> Unicode.Scalar {
        var value = first.value - 48
        for _ in 0..<2 {
            guard let next = peek(), ("0"..."7").contains(next) else { break }
            value = value * 8 + next.value - 48
            offset += 1
        }
        return try scalar(value, at: start)
    }

    /// Reads `\xHH` or `\x{H…}`.
    private mutating func hexadecimalEscape(
        in what: TextError.Wanted, at start: Int
    ) throws(TextError) -> Unicode.Scalar {
        let isBraced = peek() == "{"
        if isBraced { offset += 1 }
        var value: UInt32 = 0
        var digitCount = 0
        while isBraced || digitCount < 2, let next = peek(), let digit = next.hexadecimalValue {
            value = value * 16 + digit
            // This caps larger values, which are invalid all the same.
            value = min(value, 0x11_0000)
            digitCount += 1
            offset += 1
        }
        if isBraced {
            guard let close = advance() else { throw error(.unterminated(what), at: tokenStart) }
            guard close == "}" else { throw error(.invalidEscape, at: start) }
        } else if digitCount < 2 {
            throw error(.invalidEscape, at: start)
        }
        guard digitCount > 0 else { throw error(.invalidEscape, at: start) }
        return try scalar(value, at: start)
    }

    private func scalar(_ value: UInt32, at start: Int) throws(TextError) -> Unicode.Scalar {
        guard let scalar = Unicode.Scalar(value), !Self.isNoCharacter(scalar) else {
            throw error(.invalidEscape, at: start)
        }
        return scalar
    }

    mutating func move(to offset: Int) {
        self.offset = offset
    }
}

extension Unicode.Scalar {
    fileprivate var hexadecimalValue: UInt32? {
        guard let byte = UInt8(exactly: value), let digit = BigInteger.value(ofDigit: byte),
            digit < 16
        else { return nil }
        return UInt32(digit)
    }
}

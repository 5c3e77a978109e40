/// Reads terms from Erlang's text syntax, as `file:consult/1` does: one after the other, each
/// followed by a dot.
///
/// ```swift
/// var reader = try ErlangTextReader("{version, \"1.2\"}.\n[a, b].")
/// while let term = try reader.next() { … }
/// ```
/// It reads atoms, numbers, characters, strings, binaries with segments, lists, tuples, maps and
/// `fun module:name/arity`. Text for pids, ports, references and closures is an error, as it is in
/// Erlang.
///
/// Source: `erl_scan.erl`, and `normalise/1` of OTP's `erl_parse.yrl`.
public struct ErlangTextReader: Sendable {
    var scanner: TextScanner
    let limits: TextLimits
    private var termBudget: Int
    /// How many more bits the binaries may have.
    var bitBudget: Int
    /// The token that comes next.
    var token: TextToken = .end

    /// A reader at the beginning of the text.
    public init(_ text: String, limits: TextLimits = .default) throws(TextError) {
        guard text.utf8.count <= limits.maximumByteCount else {
            throw TextError(
                line: 1, column: 1, reason: .tooLong(maximum: limits.maximumByteCount))
        }
        scanner = TextScanner(Array(text.unicodeScalars))
        self.limits = limits
        termBudget = limits.maximumTerms
        bitBudget = limits.maximumByteCount.multipliedReportingOverflow(by: 8).partialValue
    }

    /// A reader at the beginning of a file's contents, in UTF-8.
    public init(utf8 bytes: [UInt8], limits: TextLimits = .default) throws(TextError) {
        guard bytes.count <= limits.maximumByteCount else {
            throw TextError(
                line: 1, column: 1, reason: .tooLong(maximum: limits.maximumByteCount))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw TextError(line: 1, column: 1, reason: .invalidUTF8)
        }
        try self.init(text, limits: limits)
    }

    /// The next term and its dot, or `nil` at the end of the text. Nothing can be read after an
    /// error.
    public mutating func next() throws(TextError) -> Term? {
        try advance()
        if token == .end { return nil }
        let term = try term(depth: 0)
        guard token == .dot else { throw unexpected(.dot) }
        return term
    }

    /// The only term of the text; its dot may be missing.
    mutating func single() throws(TextError) -> Term {
        try advance()
        let term = try term(depth: 0)
        if token == .dot { try advance() }
        guard token == .end else { throw unexpected(.endOfText) }
        return term
    }
}

extension Term {
    /// The term written in Erlang's syntax, with or without a dot after it; see
    /// ``ErlangTextReader``.
    public init(text: String, limits: TextLimits = .default) throws(TextError) {
        var reader = try ErlangTextReader(text, limits: limits)
        self = try reader.single()
    }

    /// All terms of a text, each followed by a dot, as `file:consult/1` returns them; see
    /// ``ErlangTextReader``.
    public static func consult(
        _ text: String, limits: TextLimits = .default
    ) throws(TextError) -> [Term] {
        var reader = try ErlangTextReader(text, limits: limits)
        var terms: [Term] = []
        while let term = try reader.next() { terms.append(term) }
        return terms
    }
}

// MARK: - Tokens

extension ErlangTextReader {
    mutating func advance() throws(TextError) {
        token = try scanner.token()
    }

    func error(_ reason: TextError.Reason) -> TextError {
        scanner.error(reason, at: scanner.tokenStart)
    }

    func unexpected(_ wanted: TextError.Wanted) -> TextError {
        error(.unexpected(found: token.text, wanted: wanted))
    }

    /// Skips a symbol that must be here.
    mutating func expect(
        _ symbol: TextToken.Symbol, _ wanted: TextError.Wanted
    ) throws(TextError) {
        guard token == .symbol(symbol) else { throw unexpected(wanted) }
        try advance()
    }

    /// Skips the symbol if it is here, and returns whether it was.
    mutating func skip(_ symbol: TextToken.Symbol) throws(TextError) -> Bool {
        guard token == .symbol(symbol) else { return false }
        try advance()
        return true
    }

    mutating func spend(_ count: Int) throws(TextError) {
        guard count <= termBudget else {
            throw error(.tooManyTerms(maximum: limits.maximumTerms))
        }
        termBudget -= count
    }
}

// MARK: - Terms

extension ErlangTextReader {
    /// Reads the term that begins at the current token. The token after it becomes the current one.
    ///
    /// The recursive functions contain little else: see `TermParser`.
    mutating func term(depth: Int) throws(TextError) -> Term {
        try enter(depth)
        if try skip(.openBracket) { return try list(depth: depth) }
        if try skip(.openBrace) { return .tuple(try elements(until: .closeBrace, depth: depth)) }
        if try skip(.hash) { return try map(depth: depth) }
        if try skip(.openParenthesis) { return try parenthesised(depth: depth) }
        if try skip(.openBinary) { return try binary(depth: depth) }
        return try leaf()
    }

    private mutating func enter(_ depth: Int) throws(TextError) {
        guard depth <= limits.maximumDepth else {
            throw error(.tooDeep(maximum: limits.maximumDepth))
        }
        try spend(1)
    }

    private mutating func parenthesised(depth: Int) throws(TextError) -> Term {
        let inner = try term(depth: depth + 1)
        try expect(.closeParenthesis, .closingParenthesis)
        return inner
    }

    /// Reads terms between commas, up to and including the closing symbol.
    private mutating func elements(
        until close: TextToken.Symbol, depth: Int
    ) throws(TextError) -> [Term] {
        var elements: [Term] = []
        if try skip(close) { return elements }
        repeat {
            elements.append(try term(depth: depth + 1))
        } while try skip(.comma)
        try expect(close, .commaOrBrace)
        return elements
    }

    private mutating func list(depth: Int) throws(TextError) -> Term {
        var elements: [Term] = []
        if try skip(.closeBracket) { return .list(elements) }
        repeat {
            elements.append(try term(depth: depth + 1))
        } while try skip(.comma)
        if try skip(.bar) { return try list(elements, depth: depth) }
        try expect(.closeBracket, .commaOrBracket)
        return .list(elements)
    }

    /// Reads the tail of a list.
    private mutating func list(_ elements: [Term], depth: Int) throws(TextError) -> Term {
        let tail = try term(depth: depth + 1)
        try expect(.closeBracket, .closingBracket)
        return .list(elements, tail: tail)
    }

    private mutating func map(depth: Int) throws(TextError) -> Term {
        try expect(.openBrace, .openingBrace)
        if try skip(.closeBrace) { return .map(TermMap()) }
        var pairs: [(key: Term, value: Term)] = []
        repeat {
            let key = try term(depth: depth + 1)
            try expect(.arrow, .arrow)
            pairs.append((key: key, value: try term(depth: depth + 1)))
        } while try skip(.comma)
        let end = scanner.tokenStart
        try expect(.closeBrace, .commaOrBrace)
        let map = TermMap(lastOfEachKey: pairs)
        guard !map.hasKeysThatDifferInAZero else { throw scanner.error(.zeroKeys, at: end) }
        return .map(map)
    }
}

// MARK: - Terms without others inside

extension ErlangTextReader {
    /// Kept apart from the recursion, so that its frames stay small.
    @inline(never)
    private mutating func leaf() throws(TextError) -> Term {
        switch token {
        case .atom(let atom):
            try advance()
            return .atom(atom)
        case .integer(let value):
            try advance()
            return value
        case .character(let scalar):
            try advance()
            return .integer(Int(scalar.value))
        case .float(let value):
            try advance()
            return .float(value)
        case .string:
            return try strings()
        case .reserved("fun"):
            return try export()
        case .symbol(.minus), .symbol(.plus):
            return try signed()
        case .symbol, .reserved, .variable, .dot, .end:
            throw unexpected(.term)
        }
    }

    /// Joins strings that follow each other: they are one string.
    private mutating func strings() throws(TextError) -> Term {
        var elements: [Term] = []
        while case .string(let scalars) = token {
            try spend(scalars.count)
            elements += scalars.lazy.map { .integer(Int($0.value)) }
            try advance()
        }
        return .list(elements)
    }

    /// Skips opening parentheses, and returns how many there were.
    mutating func openParentheses() throws(TextError) -> Int {
        var count = 0
        while try skip(.openParenthesis) {
            count += 1
            guard count <= limits.maximumDepth else {
                throw error(.tooDeep(maximum: limits.maximumDepth))
            }
        }
        return count
    }

    mutating func closeParentheses(_ count: Int) throws(TextError) {
        for _ in 0..<count { try expect(.closeParenthesis, .closingParenthesis) }
    }

    /// Reads a number after one sign, which may be in parentheses. With a second sign it would be
    /// an expression.
    mutating func signed() throws(TextError) -> Term {
        let isNegative = token == .symbol(.minus)
        try advance()
        let parenthesisCount = try openParentheses()
        let value: Term
        switch token {
        case .integer(.integer(let small)):
            value = isNegative ? Term(BigInteger(small).negated) : .integer(small)
        case .integer(.bigInteger(let big)):
            value = isNegative ? Term(big.negated) : .bigInteger(big)
        case .character(let scalar):
            value = .integer(isNegative ? -Int(scalar.value) : Int(scalar.value))
        case .float(let float): value = .float(isNegative ? -float : float)
        case .integer, .symbol, .atom, .reserved, .variable, .string, .dot, .end:
            throw unexpected(.number)
        }
        try advance()
        try closeParentheses(parenthesisCount)
        return value
    }

    private mutating func export() throws(TextError) -> Term {
        try advance()
        let module = try atom()
        try expect(.colon, .colon)
        let function = try atom()
        try expect(.slash, .slash)
        guard case .integer(.integer(let value)) = token, let arity = UInt8(exactly: value) else {
            throw unexpected(.integer)
        }
        try advance()
        return .export(Export(module: module, function: function, arity: arity))
    }

    private mutating func atom() throws(TextError) -> Atom {
        guard case .atom(let atom) = token else { throw unexpected(.atom) }
        try advance()
        return atom
    }
}

extension TermMap {
    /// Whether two keys are the same except for the sign of a zero: one key up to OTP 26, and two
    /// from OTP 27 on. So nobody can know what the text means, and an older node ends the
    /// connection over which it gets both.
    fileprivate var hasKeysThatDifferInAZero: Bool {
        guard count > 1, places.contains(where: { key(at: $0).hasNegativeZero }) else {
            return false
        }
        var keys: Set<Term> = []
        return places.contains { !keys.insert(key(at: $0).withoutNegativeZero).inserted }
    }

    /// The map with the last value of each key, as `maps:from_list/1` builds it.
    init(lastOfEachKey pairs: [(key: Term, value: Term)]) {
        self.init(pairs)
        guard repeatedKey != nil else { return }
        var positions: [Term: Int] = [:]
        var kept: [(key: Term, value: Term)] = []
        for pair in pairs {
            if let position = positions[pair.key] {
                kept[position].value = pair.value
            } else {
                positions[pair.key] = kept.count
                kept.append(pair)
            }
        }
        self.init(kept)
    }
}

extension Term {
    /// Whether there is `-0.0` in it.
    fileprivate var hasNegativeZero: Bool {
        switch self {
        case .float(let value): value == 0 && value.sign == .minus
        case .tuple(let elements): elements.contains { $0.hasNegativeZero }
        case .list(let elements): elements.contains { $0.hasNegativeZero }
        case .improperList(let elements, let tail):
            tail.hasNegativeZero || elements.contains { $0.hasNegativeZero }
        case .map(let map):
            map.places.contains {
                map.key(at: $0).hasNegativeZero || map.value(at: $0).hasNegativeZero
            }
        // No other term that can be written contains floats.
        case .integer, .bigInteger, .atom, .binary, .bitstring, .pid, .port, .reference, .record,
            .fun, .export:
            false
        }
    }

    fileprivate var withoutNegativeZero: Term {
        switch self {
        case .float(let value): .float(value == 0 ? 0 : value)
        case .tuple(let elements): .tuple(elements.map { $0.withoutNegativeZero })
        case .list(let elements): .list(elements.map { $0.withoutNegativeZero })
        case .improperList(let elements, let tail):
            .list(elements.map { $0.withoutNegativeZero }, tail: tail.withoutNegativeZero)
        case .map(let map):
            .map(
                TermMap(
                    map.pairs.map {
                        (key: $0.key.withoutNegativeZero, value: $0.value.withoutNegativeZero)
                    }))
        case .integer, .bigInteger, .atom, .binary, .bitstring, .pid, .port, .reference, .record,
            .fun, .export:
            self
        }
    }
}

// The bit syntax: `<<1, 2:4, "text"/utf8, 1.5:32/float-little, <<3>>/binary>>`.

/// The size and type that follow a segment's value.
private struct Segment {
    enum Kind { case integer, float, binary, utf8, utf16, utf32 }
    enum Endianness { case big, little, native }
    enum Signedness { case signed, unsigned }
    var kind: Kind?
    var size: Int?
    var unit: Int?
    var endianness: Endianness?
    var signedness: Signedness?

    /// The file is taken to have been written on a machine with this one's byte order.
    var isLittleEndian: Bool {
        switch endianness {
        case .little: true
        case .native: 1.littleEndian == 1
        case .big, nil: false
        }
    }
}

extension ErlangTextReader {
    /// Reads a binary or bitstring, from its `<<` on.
    ///
    /// Source: the chapter "Bit Syntax Expressions" of the Erlang reference manual;
    /// `eval_bits.erl`.
    mutating func binary(depth: Int) throws(TextError) -> Term {
        var bits = BitWriter()
        if try skip(.closeBinary) { return bits.term }
        repeat {
            let start = scanner.tokenStart
            let value = try segmentValue(depth: depth)
            try segment(value, at: start, to: &bits)
        } while try skip(.comma)
        try expect(.closeBinary, .commaOrBinaryEnd)
        return bits.term
    }

    private mutating func segmentValue(depth: Int) throws(TextError) -> Term {
        let parenthesisCount = try openParentheses()
        switch token {
        case .integer, .character, .float, .string, .symbol(.openBinary), .symbol(.minus),
            .symbol(.plus):
            break
        // A list is no string here, even if it looks like one.
        case .symbol, .atom, .reserved, .variable, .dot, .end:
            throw unexpected(.segment)
        }
        // A binary inside a binary takes as much stack as three lists.
        let value = try term(depth: depth + 3)
        try closeParentheses(parenthesisCount)
        return value
    }

    /// Reads what follows a segment's value, and appends the segment's bits.
    @inline(never)
    private mutating func segment(
        _ value: Term, at start: Int, to bits: inout BitWriter
    ) throws(TextError) {
        let segment = try segmentForm()
        do {
            if case .list(let characters) = value {
                // A string means its characters, each with the size and type that follow the
                // string.
                for character in characters { try append(character, segment, to: &bits) }
                // An empty string must have a size and type that would suit a character.
                if characters.isEmpty {
                    var unused = BitWriter()
                    try append(.integer(0), segment, to: &unused)
                }
            } else {
                try append(value, segment, to: &bits)
            }
        } catch {
            throw scanner.error(error, at: start)
        }
    }

    private mutating func segmentForm() throws(TextError) -> Segment {
        var segment = Segment()
        if token == .symbol(.colon) {
            try advance()
            segment.size = try segmentInteger()
        }
        guard token == .symbol(.slash) else { return segment }
        repeat {
            try advance()
            guard case .atom(let atom) = token else { throw unexpected(.segmentType) }
            switch atom.name {
            case "integer": try set(&segment.kind, .integer)
            case "float": try set(&segment.kind, .float)
            case "binary": try set(&segment.kind, .binary)
            case "bytes":
                try set(&segment.kind, .binary)
                try set(&segment.unit, 8)
            case "bitstring", "bits":
                try set(&segment.kind, .binary)
                try set(&segment.unit, 1)
            case "utf8": try set(&segment.kind, .utf8)
            case "utf16": try set(&segment.kind, .utf16)
            case "utf32": try set(&segment.kind, .utf32)
            case "little": try set(&segment.endianness, .little)
            case "native": try set(&segment.endianness, .native)
            case "big": try set(&segment.endianness, .big)
            case "signed": try set(&segment.signedness, .signed)
            case "unsigned": try set(&segment.signedness, .unsigned)
            case "unit":
                try advance()
                guard token == .symbol(.colon) else { throw unexpected(.colon) }
                try advance()
                guard case .integer(.integer(let unit)) = token, (1...256).contains(unit) else {
                    throw unexpected(.segmentSize)
                }
                try set(&segment.unit, unit)
            default: throw unexpected(.segmentType)
            }
            try advance()
        } while token == .symbol(.minus)
        return segment
    }

    /// Sets what the type says; the same may be said twice.
    private func set<Value: Equatable>(
        _ slot: inout Value?, _ value: Value
    ) throws(TextError) {
        guard slot == nil || slot == value else { throw error(.invalidSegment) }
        slot = value
    }

    /// Reads an integer or character. In parentheses, it may have a sign.
    private mutating func segmentInteger() throws(TextError) -> Int {
        let parenthesisCount = try openParentheses()
        let size: Int
        switch token {
        case .integer(.integer(let value)):
            size = value
            try advance()
        // Erlang accepts `:$a` as a size too.
        case .character(let scalar):
            size = Int(scalar.value)
            try advance()
        case .symbol(.plus) where parenthesisCount > 0, .symbol(.minus) where parenthesisCount > 0:
            let start = scanner.tokenStart
            guard case .integer(let value) = try signed() else {
                throw scanner.error(.invalidSegment, at: start)
            }
            size = value
        case .integer, .symbol, .atom, .reserved, .variable, .float, .string, .dot, .end:
            throw unexpected(.segmentSize)
        }
        try closeParentheses(parenthesisCount)
        return size
    }

    // MARK: Bits

    private mutating func append(
        _ value: Term, _ segment: Segment, to bits: inout BitWriter
    ) throws(TextError.Reason) {
        switch (segment.kind ?? .integer, value) {
        case (.integer, .integer(let small)):
            try append(BigInteger(small), segment, to: &bits)
        case (.integer, .bigInteger(let big)):
            try append(big, segment, to: &bits)
        case (.float, .float(let float)):
            try append(float, segment, to: &bits)
        case (.float, .integer(let integer)):
            try append(Double(integer), segment, to: &bits)
        case (.float, .bigInteger(let big)):
            try append(big.floatingPoint, segment, to: &bits)
        case (.binary, .binary(let bytes)):
            try append(Array(bytes), bitCount: bytes.count * 8, segment, to: &bits)
        case (.binary, .bitstring(let content)):
            try append(content.bytes, bitCount: content.bitCount, segment, to: &bits)
        case (.utf8, .integer(let code)), (.utf16, .integer(let code)),
            (.utf32, .integer(let code)):
            guard segment.size == nil, segment.unit == nil, let value = UInt32(exactly: code),
                let scalar = Unicode.Scalar(value)
            else { throw .invalidSegment }
            try append(scalar, segment, to: &bits)
        default:
            throw .invalidSegment
        }
    }

    /// The number of bits of a segment, after taking it off the budget.
    private mutating func spendBits(
        _ segment: Segment, defaultSize: Int, defaultUnit: Int
    ) throws(TextError.Reason) -> Int {
        guard segment.unit == nil || segment.size != nil || segment.kind == .binary else {
            throw .invalidSegment
        }
        let size = segment.size ?? defaultSize
        let (count, overflow) = size.multipliedReportingOverflow(by: segment.unit ?? defaultUnit)
        guard size >= 0 else { throw .invalidSegment }
        guard !overflow, count <= bitBudget else {
            throw .tooLong(maximum: limits.maximumByteCount)
        }
        bitBudget -= count
        return count
    }

    private mutating func append(
        _ value: BigInteger, _ segment: Segment, to bits: inout BitWriter
    ) throws(TextError.Reason) {
        let count = try spendBits(segment, defaultSize: 8, defaultUnit: 1)
        bits.append(value, bitCount: count, isLittleEndian: segment.isLittleEndian)
    }

    private mutating func append(
        _ value: Double, _ segment: Segment, to bits: inout BitWriter
    ) throws(TextError.Reason) {
        let count = try spendBits(segment, defaultSize: 64, defaultUnit: 1)
        let single = Float(value)
        // As in Erlang a half is rounded twice, and what is too large for fewer bits is infinite.
        guard value.isFinite else { throw .invalidSegment }
        let pattern: UInt64 =
            switch count {
            case 64: value.bitPattern
            case 32: UInt64(single.bitPattern)
            case 16: UInt64(Float16(single).bitPattern)
            default: throw .invalidSegment
            }
        bits.append(
            BigInteger(pattern), bitCount: count, isLittleEndian: segment.isLittleEndian)
    }

    private mutating func append(
        _ bytes: [UInt8], bitCount: Int, _ segment: Segment, to bits: inout BitWriter
    ) throws(TextError.Reason) {
        let unit = segment.unit ?? 8
        guard segment.size != nil || bitCount % unit == 0 else { throw .invalidSegment }
        let count = try spendBits(segment, defaultSize: bitCount / unit, defaultUnit: unit)
        guard count <= bitCount else { throw .invalidSegment }
        bits.append(bytes, bitCount: count)
    }

    private mutating func append(
        _ scalar: Unicode.Scalar, _ segment: Segment, to bits: inout BitWriter
    ) throws(TextError.Reason) {
        let units: [BigInteger]
        let width: Int
        switch segment.kind {
        case .utf8:
            (units, width) = (UTF8.encode(scalar)?.map { BigInteger($0) } ?? [], 8)
        case .utf16:
            (units, width) = (UTF16.encode(scalar)?.map { BigInteger($0) } ?? [], 16)
        case .utf32, .integer, .float, .binary, nil:
            (units, width) = ([BigInteger(scalar.value)], 32)
        }
        guard units.count * width <= bitBudget else {
            throw .tooLong(maximum: limits.maximumByteCount)
        }
        bitBudget -= units.count * width
        for unit in units {
            bits.append(unit, bitCount: width, isLittleEndian: segment.isLittleEndian)
        }
    }
}

extension BigInteger {
    /// The float for it, rounded digit by digit as in Erlang; infinite when it is too large.
    fileprivate var floatingPoint: Double {
        var (sum, weight) = (0.0, 1.0)
        var digit: UInt64 = 0
        for (index, byte) in littleEndianMagnitude.enumerated() {
            digit |= UInt64(byte) << UInt64(index % 8 * 8)
            guard index % 8 == 7 || index == littleEndianMagnitude.count - 1 else { continue }
            sum += Double(digit) * weight
            weight *= 0x1p64
            digit = 0
        }
        return isNegative ? -sum : sum
    }
}

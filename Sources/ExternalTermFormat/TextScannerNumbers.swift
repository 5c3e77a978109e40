// Integers in any base, and floats.

extension TextScanner {
    /// Reads `1_000`, `16#ff` or `1.5e-3`: `erl_scan:scan_number/3`.
    mutating func number() throws(TextError) -> TextToken {
        let whole = digits(radix: 10)
        if peek() == "#" { return try based(whole) }
        if peek() == ".", let next = peek(1), ("0"..."9").contains(next) {
            return try float(whole)
        }
        guard let value = BigInteger(isNegative: false, digits: whole, radix: 10) else {
            throw error(.numberTooLong, at: tokenStart)
        }
        return .integer(Term(value))
    }

    /// Reads digits of a base, with single underscores between them.
    private mutating func digits(radix: UInt8) -> [UInt8] {
        var digits: [UInt8] = []
        var end = offset
        while let next = peek() {
            if let byte = UInt8(exactly: next.value),
                let digit = BigInteger.value(ofDigit: byte), digit < radix
            {
                digits.append(digit)
                move(to: offset + 1)
                end = offset
            } else if next == "_", offset == end, !digits.isEmpty {
                move(to: offset + 1)
            } else {
                break
            }
        }
        move(to: end)
        return digits
    }

    private mutating func based(_ base: [UInt8]) throws(TextError) -> TextToken {
        // It may begin with any number of zeros. A number above 36 stays above it.
        let radix = base.reduce(0) { min($0 * 10 + Int($1), 37) }
        guard (2...36).contains(radix) else {
            throw error(.invalidNumber, at: tokenStart)
        }
        move(to: offset + 1)
        let digits = digits(radix: UInt8(radix))
        guard !digits.isEmpty else { throw error(.invalidNumber, at: tokenStart) }
        guard let value = BigInteger(isNegative: false, digits: digits, radix: radix) else {
            throw error(.numberTooLong, at: tokenStart)
        }
        return .integer(Term(value))
    }

    private mutating func float(_ whole: [UInt8]) throws(TextError) -> TextToken {
        move(to: offset + 1)
        var text = whole.map { $0 + UInt8(ascii: "0") } + [UInt8(ascii: ".")]
        text += digits(radix: 10).map { $0 + UInt8(ascii: "0") }
        if peek() == "e" || peek() == "E" {
            let sign = peek(1).flatMap { "+-".unicodeScalars.contains($0) ? $0 : nil }
            if let first = peek(sign == nil ? 1 : 2), ("0"..."9").contains(first) {
                move(to: offset + (sign == nil ? 1 : 2))
                text += Array(sign == "-" ? "e-".utf8 : "e".utf8)
                text += digits(radix: 10).map { $0 + UInt8(ascii: "0") }
            } else {
                throw error(.invalidNumber, at: tokenStart)
            }
        }
        guard let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else {
            throw error(.invalidNumber, at: tokenStart)
        }
        return .float(value)
    }
}

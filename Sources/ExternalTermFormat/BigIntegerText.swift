// Numbers to digits and back, in bases 2 to 36, by short division and multiplication with 32-bit
// limbs. Both take time quadratic in the number's size, except in bases that are powers of two.
// That is why there is a bound.

extension BigInteger {
    /// How many bytes a magnitude may have to be converted to or from a base that is not a power of
    /// two: about 9800 decimal digits, and one or two milliseconds.
    public static let maximumDecimalByteCount = 4096

    /// The digits in a base of 2 to 36, with capital letters, and a minus sign before a negative
    /// number.
    ///
    /// `nil` for more than ``maximumDecimalByteCount`` bytes in a base that is not a power of two.
    /// - Precondition: the base is within 2 to 36.
    public func text(radix: Int = 10) -> String? {
        precondition((2...36).contains(radix), "Digits exist for the bases 2 to 36")
        guard !littleEndianMagnitude.isEmpty else { return "0" }
        var digits: [UInt8]
        if radix.nonzeroBitCount == 1 {
            digits = digitsReversed(bitsPerDigit: radix.trailingZeroBitCount)
        } else if littleEndianMagnitude.count <= Self.maximumDecimalByteCount {
            digits = digitsReversed(radix: UInt64(radix))
        } else {
            return nil
        }
        if isNegative { digits.append(UInt8(ascii: "-")) }
        digits.reverse()
        return String(decoding: digits, as: UTF8.self)
    }

    /// The number that these digits in a base of 2 to 36 mean; a sign may precede them.
    ///
    /// `nil` for anything else, and for numbers that ``text(radix:)`` would not write.
    /// - Precondition: the base is within 2 to 36.
    public init?(_ text: some StringProtocol, radix: Int = 10) {
        precondition((2...36).contains(radix), "Digits exist for the bases 2 to 36")
        let utf8 = text.utf8
        let isNegative = utf8.first == UInt8(ascii: "-")
        let isSigned = isNegative || utf8.first == UInt8(ascii: "+")
        var digits: [UInt8] = []
        for byte in utf8.dropFirst(isSigned ? 1 : 0) {
            guard let digit = Self.value(ofDigit: byte), digit < radix else { return nil }
            digits.append(digit)
        }
        guard !digits.isEmpty else { return nil }
        self.init(isNegative: isNegative, digits: digits, radix: radix)
    }

    /// The number whose digits have these values, the most significant first.
    init?(isNegative: Bool, digits: [UInt8], radix: Int) {
        let limbs: [UInt32]
        if radix.nonzeroBitCount == 1 {
            limbs = Self.limbs(digits, bitsPerDigit: radix.trailingZeroBitCount)
        } else {
            // Each digit is worth 1.58 bits at least; the exact size is checked below.
            guard digits.count <= Self.maximumDecimalByteCount * 8 else { return nil }
            limbs = Self.limbs(digits, radix: UInt64(radix))
        }
        let bytes = limbs.flatMap { limb in
            (0..<4).map { UInt8(truncatingIfNeeded: limb >> UInt32($0 * 8)) }
        }
        self.init(isNegative: isNegative, littleEndianMagnitude: bytes)
        guard
            radix.nonzeroBitCount == 1
                || littleEndianMagnitude.count <= Self.maximumDecimalByteCount
        else { return nil }
    }
}

extension BigInteger: CustomStringConvertible {
    /// Decimal digits, or `16#…` for more than ``maximumDecimalByteCount`` bytes. Both mean the
    /// same integer in Erlang's syntax.
    public var description: String {
        text(radix: 10) ?? hexadecimal(digitCount: .max)
    }

    /// The ``description``, or only its beginning: not much more than `maximumByteCount` digits are
    /// computed. For a number that would take long in decimal these are its first digits in base
    /// 16.
    func text(maximumByteCount: Int) -> String {
        // Each byte is worth more than two decimal digits, and exactly two in base 16.
        let longest = maximumByteCount == .max ? .max : min(maximumByteCount, 1024)
        guard littleEndianMagnitude.count > longest else { return description }
        return hexadecimal(digitCount: maximumByteCount)
    }

    /// The number in base 16: its first `digitCount` digits at most, or up to two more.
    private func hexadecimal(digitCount: Int) -> String {
        let magnitude = littleEndianMagnitude
        let count = digitCount < magnitude.count * 2 ? max(digitCount / 2 + 1, 1) : magnitude.count
        let first = BigInteger(
            isNegative: false, littleEndianMagnitude: Array(magnitude.suffix(count)))
        return (isNegative ? "-16#" : "16#") + (first.text(radix: 16) ?? "")
    }
}

// MARK: - Digits of a number

extension BigInteger {
    private func digitsReversed(bitsPerDigit: Int) -> [UInt8] {
        var digits: [UInt8] = []
        let bitCount = littleEndianMagnitude.count * 8
        for start in stride(from: 0, to: bitCount, by: bitsPerDigit) {
            var digit: UInt8 = 0
            for bit in start..<min(start + bitsPerDigit, bitCount) {
                digit |=
                    (littleEndianMagnitude[bit / 8] >> UInt8(bit % 8) & 1) << UInt8(bit - start)
            }
            digits.append(Self.character(ofDigit: digit))
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return digits
    }

    private func digitsReversed(radix: UInt64) -> [UInt8] {
        // As many digits at a time as fit into a limb.
        let (chunk, digitsPerChunk) = Self.chunk(radix: radix)
        var limbs = stride(from: 0, to: littleEndianMagnitude.count, by: 4).map { start in
            littleEndianMagnitude[start..<min(start + 4, littleEndianMagnitude.count)].reversed()
                .reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        }
        var digits: [UInt8] = []
        while !limbs.isEmpty {
            var remainder: UInt64 = 0
            for index in limbs.indices.reversed() {
                let value = remainder << 32 | UInt64(limbs[index])
                limbs[index] = UInt32(truncatingIfNeeded: value / chunk)
                remainder = value % chunk
            }
            while limbs.last == 0 { limbs.removeLast() }
            for _ in 0..<digitsPerChunk where !limbs.isEmpty || remainder != 0 {
                digits.append(Self.character(ofDigit: UInt8(remainder % radix)))
                remainder /= radix
            }
        }
        return digits
    }

    /// The largest power of the base within 32 bits, and its exponent.
    private static func chunk(radix: UInt64) -> (power: UInt64, digitCount: Int) {
        var (power, count) = (radix, 1)
        while power * radix <= UInt64(UInt32.max) {
            power *= radix
            count += 1
        }
        return (power, count)
    }

    private static func character(ofDigit digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }
}

// MARK: - The number of digits

extension BigInteger {
    /// What a digit of either case is worth, 0 to 35.
    static func value(ofDigit character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func limbs(_ digits: [UInt8], bitsPerDigit: Int) -> [UInt32] {
        var limbs: [UInt32] = []
        var (pending, pendingBits): (UInt64, Int) = (0, 0)
        for digit in digits.reversed() {
            pending |= UInt64(digit) << UInt64(pendingBits)
            pendingBits += bitsPerDigit
            if pendingBits >= 32 {
                limbs.append(UInt32(truncatingIfNeeded: pending))
                pending >>= 32
                pendingBits -= 32
            }
        }
        limbs.append(UInt32(truncatingIfNeeded: pending))
        return limbs
    }

    private static func limbs(_ digits: [UInt8], radix: UInt64) -> [UInt32] {
        let (_, digitsPerChunk) = chunk(radix: radix)
        var limbs: [UInt32] = []
        for start in stride(from: 0, to: digits.count, by: digitsPerChunk) {
            let part = digits[start..<min(start + digitsPerChunk, digits.count)]
            var carry = part.reduce(0) { $0 * radix + UInt64($1) }
            let power = part.reduce(1 as UInt64) { product, _ in product * radix }
            for index in limbs.indices {
                let value = UInt64(limbs[index]) * power + carry
                limbs[index] = UInt32(truncatingIfNeeded: value)
                carry = value >> 32
            }
            if carry != 0 { limbs.append(UInt32(truncatingIfNeeded: carry)) }
        }
        return limbs
    }
}

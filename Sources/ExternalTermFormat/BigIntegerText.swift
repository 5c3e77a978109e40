// Numbers to digits and back, base 2 to 36, by short division and multiplication with 32-bit limbs.

extension BigInteger {
    /// Digits with a sign; quadratic in the number's size.
    func digits(radix: Int) -> String {
        guard !littleEndianMagnitude.isEmpty else { return "0" }
        // As many digits at a time as fit into a limb.
        let (chunk, digitsPerChunk) = Self.chunk(radix: radix)
        var limbs = Self.limbs(littleEndianMagnitude)
        var reversed: [UInt8] = []
        while !limbs.isEmpty {
            var remainder: UInt64 = 0
            for index in limbs.indices.reversed() {
                let value = remainder &<< 32 | UInt64(limbs[index])
                limbs[index] = UInt32(truncatingIfNeeded: value / chunk)
                remainder = value % chunk
            }
            while limbs.last == 0 { limbs.removeLast() }
            for _ in 0..<digitsPerChunk {
                if limbs.isEmpty, remainder == 0 { break }
                reversed.append(Self.digit(UInt8(remainder % UInt64(radix))))
                remainder /= UInt64(radix)
            }
        }
        if isNegative { reversed.append(UInt8(ascii: "-")) }
        return String(decoding: reversed.reversed(), as: UTF8.self)
    }

    /// The largest power of the base within 32 bits, and its exponent.
    static func chunk(radix: Int) -> (power: UInt64, digitCount: Int) {
        var (power, count) = (UInt64(radix), 1)
        while power * UInt64(radix) <= UInt64(UInt32.max) {
            power *= UInt64(radix)
            count += 1
        }
        return (power, count)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    private static func limbs(_ bytes: [UInt8]) -> [UInt32] {
        stride(from: 0, to: bytes.count, by: 4).map { start in
            bytes[start..<min(start + 4, bytes.count)].reversed()
                .reduce(0) { $0 << 8 | UInt32($1) }
        }
    }
}

/// Joins values of any number of bits.
struct BitWriter {
    private var bytes: [UInt8] = []
    /// How many bits of the last byte are in use, 1 to 8; 0 while there is no byte.
    private var lastBitCount = 0

    /// The term for what has been written: a binary or a bitstring.
    var term: Term {
        lastBitCount % 8 == 0
            ? .binary(bytes) : .bitstring(Bitstring(bytes: bytes, lastBitCount: lastBitCount))
    }

    /// Appends the first bits of `content`, from the most significant downwards.
    mutating func append(_ content: [UInt8], bitCount: Int) {
        var rest = bitCount
        for byte in content {
            guard rest > 0 else { return }
            append(byte, bitCount: min(8, rest))
            rest -= 8
        }
    }

    /// Appends the lowest bits of a number in two's complement.
    ///
    /// In little-endian order the whole bytes come first, from the lowest up. The remaining bits,
    /// from the top of the number, come last.
    mutating func append(_ value: BigInteger, bitCount: Int, isLittleEndian: Bool) {
        let wholeCount = bitCount / 8
        let restCount = bitCount % 8
        let low = value.twosComplement(byteCount: wholeCount + (restCount > 0 ? 1 : 0))
        if isLittleEndian {
            for byte in low.prefix(wholeCount) { append(byte, bitCount: 8) }
            if restCount > 0 {
                append(low[wholeCount] << UInt8(8 - restCount), bitCount: restCount)
            }
        } else {
            if restCount > 0 {
                append(low[wholeCount] << UInt8(8 - restCount), bitCount: restCount)
            }
            for byte in low.prefix(wholeCount).reversed() { append(byte, bitCount: 8) }
        }
    }

    /// Appends the `bitCount` highest bits of a byte.
    private mutating func append(_ byte: UInt8, bitCount: Int) {
        let byte = byte & ~(bitCount == 8 ? 0 : UInt8.max >> UInt8(bitCount))
        let free = (8 - lastBitCount) % 8
        if free == 0 {
            bytes.append(byte)
            lastBitCount = bitCount
        } else {
            bytes[bytes.count - 1] |= byte >> UInt8(8 - free)
            if bitCount > free {
                bytes.append(byte << UInt8(free))
                lastBitCount = bitCount - free
            } else {
                lastBitCount += bitCount
            }
        }
    }
}

extension BigInteger {
    /// The lowest bytes in two's complement, least significant first.
    fileprivate func twosComplement(byteCount: Int) -> [UInt8] {
        var bytes = Array(littleEndianMagnitude.prefix(byteCount))
        bytes.append(contentsOf: repeatElement(0, count: byteCount - bytes.count))
        guard isNegative else { return bytes }
        var carry: UInt8 = 1
        for index in bytes.indices {
            let (sum, overflow) = (~bytes[index]).addingReportingOverflow(carry)
            bytes[index] = sum
            carry = overflow ? 1 : 0
        }
        return bytes
    }
}

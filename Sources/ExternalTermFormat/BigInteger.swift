/// An integer of any size: a sign and a magnitude. It does no arithmetic.
///
/// Source: `SMALL_BIG_EXT` and `LARGE_BIG_EXT`, erl_ext_dist.
public struct BigInteger: Hashable, Sendable {
    /// False for zero.
    public let isNegative: Bool
    /// The magnitude's bytes, least significant first, without zeros at the top. It is empty for
    /// zero.
    public let littleEndianMagnitude: [UInt8]

    /// The number with that sign and magnitude, least significant byte first. Zeros at the top are
    /// dropped.
    public init(isNegative: Bool, littleEndianMagnitude: [UInt8]) {
        // Not byte by byte: a peer may send millions of zeros.
        let top = littleEndianMagnitude.lastIndex { $0 != 0 } ?? -1
        self.littleEndianMagnitude =
            top == littleEndianMagnitude.count - 1
            ? littleEndianMagnitude : Array(littleEndianMagnitude[..<(top + 1)])
        self.isNegative = isNegative && top >= 0
    }

    public init(_ value: some BinaryInteger) {
        var magnitude: [UInt8] = []
        var rest = value.magnitude
        while rest != 0 {
            magnitude.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
        self.init(isNegative: value < 0, littleEndianMagnitude: magnitude)
    }

    /// The same number with the other sign.
    public var negated: BigInteger {
        BigInteger(isNegative: !isNegative, littleEndianMagnitude: littleEndianMagnitude)
    }
}

extension FixedWidthInteger {
    /// The same number, if it fits into this type. The type has at most 64 bits.
    public init?(exactly value: BigInteger) {
        let magnitude = value.littleEndianMagnitude
        guard magnitude.count <= 8 else { return nil }
        var bits: UInt64 = 0
        for byte in magnitude.reversed() { bits = bits << 8 | UInt64(byte) }
        if value.isNegative {
            guard bits <= UInt64(Int64.min.magnitude) else { return nil }
            self.init(exactly: Int64(truncatingIfNeeded: 0 &- bits))
        } else {
            self.init(exactly: bits)
        }
    }
}

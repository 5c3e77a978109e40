/// A sequence of bits that does not end on a byte boundary.
///
/// Source: `BIT_BINARY_EXT`, erl_ext_dist.
public struct Bitstring: Hashable, Sendable {
    /// The bits from the most significant downwards; the unused ones of the last byte are 0.
    public let bytes: [UInt8]
    /// How many bits of the last byte count, 1 to 7.
    public let lastBitCount: Int

    /// The bits of `bytes`; `lastBitCount` bits of the last byte count.
    /// - Precondition: there is a last byte, and `lastBitCount` is 1 to 7.
    public init(bytes: [UInt8], lastBitCount: Int) {
        precondition(!bytes.isEmpty, "A bitstring has a last byte")
        precondition((1...7).contains(lastBitCount), "The last byte of a bitstring has 1 to 7 bits")
        var bytes = bytes
        bytes[bytes.count - 1] &= ~(UInt8.max >> UInt8(lastBitCount))
        self.bytes = bytes
        self.lastBitCount = lastBitCount
    }

    /// How many bits there are in all.
    public var bitCount: Int { (bytes.count - 1) * 8 + lastBitCount }
}

/// A position in a span of bytes, with reads that never go past its end.
///
/// Every read takes the span as an argument: a type that stores a span cannot leave the function
/// that made it.
struct ByteReader {
    var offset: Int

    func remaining(in bytes: Span<UInt8>) -> Int {
        bytes.count &- offset
    }

    @inline(__always)
    mutating func uint8(_ bytes: Span<UInt8>) throws(TermError) -> UInt8 {
        try UInt8(load(bytes, as: UInt8.self))
    }

    @inline(__always)
    mutating func uint16(_ bytes: Span<UInt8>) throws(TermError) -> UInt16 {
        try UInt16(bigEndian: load(bytes, as: UInt16.self))
    }

    @inline(__always)
    mutating func uint32(_ bytes: Span<UInt8>) throws(TermError) -> UInt32 {
        try UInt32(bigEndian: load(bytes, as: UInt32.self))
    }

    @inline(__always)
    mutating func uint64(_ bytes: Span<UInt8>) throws(TermError) -> UInt64 {
        try UInt64(bigEndian: load(bytes, as: UInt64.self))
    }

    /// The sixteen bytes at the position as two little-endian words, if so many are left. The
    /// position stays.
    @inline(__always)
    func peekWords(_ bytes: Span<UInt8>) -> (low: UInt64, high: UInt64)? {
        guard remaining(in: bytes) >= 16 else { return nil }
        // In bounds because of the check above. Integers have no invalid bit patterns.
        let low = unsafe bytes.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset, as: UInt64.self)
        let high = unsafe bytes.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset &+ 8, as: UInt64.self)
        return (UInt64(littleEndian: low), UInt64(littleEndian: high))
    }

    /// The next `count` bytes in place.
    @inline(__always)
    mutating func skip(_ count: Int, in bytes: Span<UInt8>) throws(TermError) -> Range<Int> {
        guard count <= remaining(in: bytes) else { throw .truncated }
        let start = offset
        offset &+= count
        return start..<offset
    }

    /// The next `count` bytes, copied.
    @inline(__always)
    mutating func array(_ count: Int, in bytes: Span<UInt8>) throws(TermError) -> [UInt8] {
        Array(copying: bytes.extracting(try skip(count, in: bytes)))
    }

    @inline(__always)
    private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: Span<UInt8>, as type: Value.Type
    ) throws(TermError) -> Value {
        guard MemoryLayout<Value>.size <= remaining(in: bytes) else { throw .truncated }
        // In bounds because of the check above. Integers have no invalid bit patterns.
        let value = unsafe bytes.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset, as: Value.self)
        offset &+= MemoryLayout<Value>.size
        return value
    }
}

// Big-endian numbers in byte arrays, as every packet of the protocol has them.

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger & UnsignedInteger) {
        var shift = value.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// The number in the bytes at `offset`, or `nil` when they are not all there.
    func bigEndian<Value: FixedWidthInteger & UnsignedInteger>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value? {
        let width = Value.bitWidth / 8
        guard offset >= 0, offset <= count, count - offset >= width else { return nil }
        var value: Value = 0
        for index in offset..<(offset + width) { value = value << 8 | Value(self[index]) }
        return value
    }
}

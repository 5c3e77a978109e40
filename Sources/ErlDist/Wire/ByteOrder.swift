extension Span<UInt8> {
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

extension [UInt8] {
    /// The number in the bytes at `offset`, or `nil` when they are not all there.
    func bigEndian<Value: FixedWidthInteger & UnsignedInteger>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value? {
        span.bigEndian(at: offset, as: type)
    }

    mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

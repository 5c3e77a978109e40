extension [UInt8] {
    /// Appends a number, the most significant byte first, as Erlang's protocols require.
    package mutating func append(bigEndian value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// At most `limit` bytes that a stream has just read.
    package init(copying bytes: borrowing Span<UInt8>, limit: Int = .max) {
        self.init()
        let count = Swift.min(bytes.count, limit)
        reserveCapacity(count)
        for index in 0..<count { append(bytes[index]) }
    }
}

/// Takes big-endian fields off the front of a message; `nil` when there are not enough bytes.
///
/// Source: "All integers are in big-endian order", erl_dist_protocol.
struct BigEndianReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func readUInt8() -> UInt8? {
        rest.popFirst()
    }

    mutating func readUInt16() -> UInt16? {
        readBytes(count: 2).map { $0.reduce(0) { $0 << 8 | UInt16($1) } }
    }

    mutating func readUInt32() -> UInt32? {
        readBytes(count: 4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    mutating func readBytes(count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// A field with a 2-byte length before it.
    mutating func readCounted() -> ArraySlice<UInt8>? {
        readUInt16().flatMap { readBytes(count: Int($0)) }
    }

    /// Everything that is left.
    mutating func readRest() -> ArraySlice<UInt8> {
        defer { rest = [] }
        return rest
    }
}

extension [UInt8] {
    /// At most `limit` bytes of what a stream has just read.
    init(copying bytes: borrowing Span<UInt8>, limit: Int) {
        self.init()
        let count = Swift.min(bytes.count, limit)
        reserveCapacity(count)
        for index in 0..<count { append(bytes[index]) }
    }
}

/// Splits a distribution byte stream into frames: a 4-byte big-endian length, then that many bytes.
///
/// It hands out a frame in place when the bytes hold all of it, and joins one that comes in pieces.
///
/// Source: "Protocol between Connected Nodes", erl_dist_protocol.
struct FrameDecoder {
    enum Frame: Equatable {
        /// A range of the bytes that have just come.
        case inPlace(Range<Int>)
        /// The bytes of a frame that came in pieces.
        case joined([UInt8])
    }

    /// The longest frame that is accepted. A node that fragments sends at most 64 KiB and a header.
    /// A node that does not fragment sends whole messages.
    let maximumByteCount: Int

    /// The part of the length that has come.
    private var length: UInt32 = 0
    private var lengthByteCount = 0
    /// The part of a frame that has come.
    private var part: [UInt8] = []

    /// How many bytes are reserved for a frame at once: enough for a frame with 1 MiB, whatever
    /// length the peer claims.
    private static let reservedByteCount = 17 << 16

    init(maximumByteCount: Int = 64 << 20) {
        self.maximumByteCount = maximumByteCount
    }

    /// How many bytes of an incomplete frame are kept.
    var heldByteCount: Int { part.count }

    /// The next whole frame, or `nil` when `position` has reached the end of `bytes` and more must
    /// come. An empty frame is a tick.
    /// - Throws: ``ProtocolViolation/frameTooLong(byteCount:)``. The decoder cannot go on after
    ///   that.
    mutating func next(
        in bytes: Span<UInt8>, at position: inout Int
    ) throws(ProtocolViolation) -> Frame? {
        guard try readLength(bytes, &position) else { return nil }
        let count = Int(length)
        let rest = bytes.count - position
        if part.isEmpty, rest >= count {
            let start = position
            position += count
            lengthByteCount = 0
            return .inPlace(start..<position)
        }
        let added = min(count - part.count, rest)
        guard added > 0 else { return nil }
        if part.isEmpty { part.reserveCapacity(min(count, Self.reservedByteCount)) }
        part.append(bytes.extracting(position..<(position + added)))
        position += added
        guard part.count == count else { return nil }
        lengthByteCount = 0
        defer { part = [] }
        return .joined(part)
    }

    /// Whether the length of the next frame is known.
    private mutating func readLength(
        _ bytes: Span<UInt8>, _ position: inout Int
    ) throws(ProtocolViolation) -> Bool {
        guard lengthByteCount < 4 else { return true }
        while lengthByteCount < 4 {
            guard position < bytes.count else { return false }
            length = length << 8 | UInt32(bytes[position])
            position += 1
            lengthByteCount += 1
        }
        guard length <= maximumByteCount else { throw .frameTooLong(byteCount: Int(length)) }
        return true
    }
}

/// Splits a distribution byte stream into frames: a 4-byte big-endian length, then that many bytes.
///
/// Frames are handed out as ranges of ``bytes``, valid until the next ``append(_:)``, so that what
/// arrives is copied once, whatever number of frames it holds.
///
/// Source: "Protocol between Connected Nodes", erl_dist_protocol.
struct FrameDecoder {
    /// The longest frame that is accepted. A node that fragments sends at most 64 KiB and a header; one
    /// that does not sends whole messages.
    let maximumByteCount: Int

    /// What frames are ranges of.
    private(set) var bytes: [UInt8] = []
    private var position = 0

    /// A buffer that had to grow beyond this is given back once it is empty.
    private static let keptCapacity = 1 << 20

    init(maximumByteCount: Int = 128 << 20) {
        self.maximumByteCount = maximumByteCount
    }

    /// Takes the next bytes of the stream. Ranges handed out before are no longer valid.
    mutating func append(_ newBytes: borrowing Span<UInt8>) {
        if position == bytes.count {
            if bytes.capacity > Self.keptCapacity {
                bytes = []
            } else {
                bytes.removeAll(keepingCapacity: true)
            }
        } else if position > 0 {
            bytes.removeSubrange(..<position)
        }
        position = 0
        newBytes.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    }

    /// The next whole frame, or `nil` until more bytes are appended. An empty frame is a tick.
    /// - Throws: ``ProtocolViolation/frameTooLong(byteCount:)``; the stream cannot be resynchronised
    ///   after it.
    mutating func next() throws(ProtocolViolation) -> Range<Int>? {
        guard let length = bytes.bigEndian(at: position, as: UInt32.self) else { return nil }
        guard length <= maximumByteCount else { throw .frameTooLong(byteCount: Int(length)) }
        let start = position + 4
        guard bytes.count - start >= Int(length) else { return nil }
        position = start + Int(length)
        return start..<position
    }
}

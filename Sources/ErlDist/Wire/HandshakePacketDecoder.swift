internal import Transport

/// Splits the bytes of a handshake into messages: a big-endian length, then that many bytes.
///
/// Over plain TCP the length has 2 bytes during the handshake; the frames after it have 4. A TLS
/// connection uses 4 bytes from the start.
///
/// Source: "Distribution Handshake", erl_dist_protocol; `inet_tls_dist.erl`.
struct HandshakePacketDecoder {
    /// How the length of a handshake message is written.
    enum LengthWidth: Int, Sendable {
        case twoBytes = 2
        case fourBytes = 4
    }

    /// A name has at most 255 characters of 4 bytes. Nothing else in a handshake is long.
    static let maximumByteCount = 4096

    /// The first two bytes of TLS records that contain an alert, which answers a name, or a
    /// handshake message. As lengths they would be too large. Source: RFC 8446, 5.1.
    private static let tlsRecords: Set<Int> = [0x1503, 0x1603]

    let width: LengthWidth
    private var buffer: [UInt8] = []

    init(width: LengthWidth) {
        self.width = width
    }

    mutating func append(_ bytes: borrowing Span<UInt8>) {
        for index in bytes.indices { buffer.append(bytes[index]) }
    }

    /// The next whole message, or `nil` until more bytes are appended.
    /// - Throws: ``HandshakeError/messageTooLong(byteCount:)``, ``HandshakeError/peerUsesTLS``.
    mutating func next() throws(HandshakeError) -> [UInt8]? {
        guard buffer.count >= width.rawValue else { return nil }
        let length = buffer.prefix(width.rawValue).reduce(0) { $0 << 8 | Int($1) }
        if width == .twoBytes, Self.tlsRecords.contains(length) { throw .peerUsesTLS }
        guard length <= Self.maximumByteCount else { throw .messageTooLong(byteCount: length) }
        let end = width.rawValue + length
        guard buffer.count >= end else { return nil }
        let message = Array(buffer[width.rawValue..<end])
        buffer.removeFirst(end)
        return message
    }

    /// The bytes after the last message: the beginning of the connection's frames.
    mutating func takeRemainder() -> [UInt8] {
        defer { buffer = [] }
        return buffer
    }

    /// `message` with its length before it.
    static func framed(_ message: [UInt8], width: LengthWidth) -> [UInt8] {
        precondition(message.count <= maximumByteCount, "A handshake message is short")
        var packet: [UInt8] = []
        switch width {
        case .twoBytes: packet.append(bigEndian: UInt16(message.count))
        case .fourBytes: packet.append(bigEndian: UInt32(message.count))
        }
        return packet + message
    }
}

/// The client's side of a connection: it takes bytes and returns one reply. It buffers a limited
/// number of bytes.
public protocol EPMDReplyDecoder<Reply>: Sendable {
    associatedtype Reply: Sendable

    /// Takes the next bytes of the connection.
    /// - Returns: The reply once it is complete, `nil` before that. Bytes after it are ignored.
    mutating func receive(_ bytes: some Collection<UInt8>) throws(EPMDReplyError) -> Reply?

    /// The daemon closed the connection, which ends some replies.
    mutating func connectionClosed() throws(EPMDReplyError) -> Reply
}

/// Why bytes are not the expected reply.
public enum EPMDReplyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The connection ended before the reply did.
    case truncated
    /// The reply is another one than expected, or does not come from an EPMD.
    case unexpectedCode(UInt8)
    /// The name is invalid: see ``EPMDName/isValid(_:)``.
    case invalidName
    case tooLong(byteCount: Int)
    /// The daemon closed the connection without an answer: it does not allow the request.
    case notAnswered

    public var description: String {
        switch self {
        case .truncated: "the connection was closed within the reply"
        case .unexpectedCode(let code): "unexpected reply code \(code); is this EPMD?"
        case .invalidName: "an invalid node name in the reply"
        case .tooLong(let count): "a reply of \(count) bytes or more is too long"
        case .notAnswered: "the connection was closed without an answer"
        }
    }
}

/// Decodes ``EPMDAliveReply`` in both of its forms.
public struct EPMDAliveReplyDecoder: EPMDReplyDecoder {
    private var buffer: [UInt8] = []

    /// A decoder at the beginning of a connection.
    public init() {}

    public mutating func receive(
        _ bytes: some Collection<UInt8>
    ) throws(EPMDReplyError) -> EPMDAliveReply? {
        buffer += bytes.prefix(6 - buffer.count)
        var reader = BigEndianReader(buffer[...])
        guard let code = reader.readUInt8() else { return nil }
        let creation: UInt32?
        let result = reader.readUInt8()
        switch code {
        case EPMDAliveReply.Code.extended: creation = reader.readUInt32()
        case EPMDAliveReply.Code.alive: creation = reader.readUInt16().map(UInt32.init)
        default: throw .unexpectedCode(code)
        }
        guard let result, let creation else { return nil }
        return result == 0 ? .registered(creation: creation) : .refused(result: result)
    }

    public mutating func connectionClosed() throws(EPMDReplyError) -> EPMDAliveReply {
        throw buffer.isEmpty ? .notAnswered : .truncated
    }
}

/// Decodes ``EPMDPortReply``.
public struct EPMDPortReplyDecoder: EPMDReplyDecoder {
    /// The fixed fields, then a name and an extra of the greatest length that their fields can say.
    private static let maximumByteCount = 14 + 2 * 0xFFFF
    private var buffer: [UInt8] = []

    /// A decoder at the beginning of a connection.
    public init() {}

    public mutating func receive(
        _ bytes: some Collection<UInt8>
    ) throws(EPMDReplyError) -> EPMDPortReply? {
        buffer += bytes.prefix(Self.maximumByteCount - buffer.count)
        var reader = BigEndianReader(buffer[...])
        guard let code = reader.readUInt8() else { return nil }
        guard code == EPMDPortReply.code else { throw .unexpectedCode(code) }
        guard let result = reader.readUInt8() else { return nil }
        guard result == 0 else { return .notRegistered(result: result) }
        return try reader.readNode(invalidName: EPMDReplyError.invalidName).map { .found($0) }
    }

    public mutating func connectionClosed() throws(EPMDReplyError) -> EPMDPortReply {
        throw buffer.isEmpty ? .notAnswered : .truncated
    }
}

/// Decodes ``EPMDListing``, which ends with the connection.
public struct EPMDListingDecoder: EPMDReplyDecoder {
    /// Room for some thousands of names.
    public static let maximumByteCount = 1 << 20
    private var buffer: [UInt8] = []

    /// A decoder at the beginning of a connection.
    public init() {}

    public mutating func receive(
        _ bytes: some Collection<UInt8>
    ) throws(EPMDReplyError) -> EPMDListing? {
        buffer += bytes.prefix(Self.maximumByteCount + 1 - buffer.count)
        guard buffer.count <= Self.maximumByteCount else {
            throw .tooLong(byteCount: buffer.count)
        }
        return nil
    }

    public mutating func connectionClosed() throws(EPMDReplyError) -> EPMDListing {
        var reader = BigEndianReader(buffer[...])
        guard let port = reader.readUInt32() else {
            throw buffer.isEmpty ? .notAnswered : .truncated
        }
        let text = reader.readRest()
        // A line of NAMES ends with a line feed; in a DUMP, a NUL follows the line feed.
        guard text.isEmpty || text.last == UInt8(ascii: "\n") || text.last == 0 else {
            throw .truncated
        }
        return EPMDListing(port: port, text: Array(text))
    }
}

/// Decodes ``EPMDCommandReply``, which ends with the connection.
public struct EPMDCommandReplyDecoder: EPMDReplyDecoder {
    private var buffer: [UInt8] = []

    /// A decoder at the beginning of a connection.
    public init() {}

    public mutating func receive(
        _ bytes: some Collection<UInt8>
    ) throws(EPMDReplyError) -> EPMDCommandReply? {
        // OTP's daemon says "NOEXISTSTOPPED" for a name that is not registered (epmd_srv.c). The
        // first word is the answer.
        buffer += bytes.prefix(7 - buffer.count)
        return nil
    }

    public mutating func connectionClosed() throws(EPMDReplyError) -> EPMDCommandReply {
        guard let first = buffer.first else { throw .notAnswered }
        guard let reply = EPMDCommandReply(rawValue: String(decoding: buffer, as: UTF8.self)) else {
            throw .unexpectedCode(first)
        }
        return reply
    }
}

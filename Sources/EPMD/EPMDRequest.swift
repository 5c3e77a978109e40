internal import Transport

/// A request to EPMD. A connection carries only one.
///
/// On the wire it is a 2-byte length, then a code byte and its fields.
/// Source: "EPMD Protocol", erl_dist_protocol.
public enum EPMDRequest: Equatable, Sendable {
    /// `ALIVE2_REQ`: registers a node for as long as the connection lives.
    case alive(EPMDNodeInfo)
    /// `PORT_PLEASE2_REQ`: asks for one node.
    case portPlease(name: String)
    /// `NAMES_REQ`: asks for all names and ports.
    case names
    /// `DUMP_REQ`: asks for everything the daemon knows, for debugging.
    case dump
    /// `KILL_REQ`: asks the daemon to end.
    case kill
    /// `STOP_REQ`: asks the daemon to end one registration.
    case stop(name: String)

    enum Code {
        static let names: UInt8 = 110
        static let dump: UInt8 = 100
        static let kill: UInt8 = 107
        static let stop: UInt8 = 115
        static let alive: UInt8 = 120
        static let portPlease: UInt8 = 122
    }

    /// The bytes to send, length included.
    public func encoded() throws(EPMDRequestError) -> [UInt8] {
        let body: [UInt8]
        switch self {
        case .alive(let node):
            guard node.extra.count <= EPMDNodeInfo.maximumExtraByteCount else {
                throw .tooLong(byteCount: node.extra.count)
            }
            guard EPMDName.isValid(node.name) else { throw .invalidName }
            body = [Code.alive] + node.encoded
        case .portPlease(let name): body = [Code.portPlease] + (try Self.bytes(ofName: name))
        case .names: body = [Code.names]
        case .dump: body = [Code.dump]
        case .kill: body = [Code.kill]
        case .stop(let name): body = [Code.stop] + (try Self.bytes(ofName: name))
        }
        var message: [UInt8] = []
        message.append(bigEndian: UInt16(clamping: body.count))
        return message + body
    }

    private static func bytes(ofName name: String) throws(EPMDRequestError) -> [UInt8] {
        guard EPMDName.isValid(name) else { throw .invalidName }
        return Array(name.utf8)
    }
}

/// Why bytes are not a request, or why a request cannot be encoded.
public enum EPMDRequestError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The length field says 0.
    case empty
    /// The request has more bytes than the limit.
    case tooLong(byteCount: Int)
    case unknownCode(UInt8)
    /// A field extends beyond the end of the request.
    case truncated
    /// The name is invalid: see ``EPMDName/isValid(_:)``.
    case invalidName
    /// Bytes follow the request, but a connection carries only one.
    case trailingBytes

    public var description: String {
        switch self {
        case .empty: "an empty request"
        case .tooLong(let count): "a request or field of \(count) bytes is too long"
        case .unknownCode(let code): "unknown request code \(code)"
        case .truncated: "a field goes beyond the end of the request"
        case .invalidName:
            "a node name must have 1 to \(EPMDName.maximumByteCount) bytes of UTF-8 without control"
                + " characters"
        case .trailingBytes: "bytes after the request"
        }
    }
}

/// The daemon's side of a connection: it takes bytes and returns one request. It buffers a limited
/// number of bytes.
public struct EPMDRequestDecoder: Sendable {
    /// The most bytes of a request after its length field. OTP's daemon takes 3,057 of them; its
    /// longest request needs 2,053.
    public static let maximumByteCount = 4096

    private var buffer: [UInt8] = []

    /// A decoder at the beginning of a connection.
    public init() {}

    /// Takes the next bytes of the connection.
    /// - Returns: The request once it is complete, `nil` before that.
    /// - Throws: After an error the connection is of no more use.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(EPMDRequestError)
        -> EPMDRequest?
    {
        // One byte more than the longest request is enough to see that a request is too long.
        buffer += bytes.prefix(2 + Self.maximumByteCount + 1 - buffer.count)
        guard buffer.count >= 2 else { return nil }
        let length = Int(buffer[0]) << 8 | Int(buffer[1])
        guard length > 0 else { throw .empty }
        guard length <= Self.maximumByteCount else { throw .tooLong(byteCount: length) }
        guard buffer.count <= 2 + length else { throw .trailingBytes }
        guard buffer.count == 2 + length else { return nil }
        return try Self.decode(buffer.dropFirst(2))
    }

    private static func decode(_ body: ArraySlice<UInt8>) throws(EPMDRequestError) -> EPMDRequest {
        var reader = BigEndianReader(body)
        guard let code = reader.readUInt8() else { throw .empty }
        switch code {
        case EPMDRequest.Code.alive: return .alive(try decodeNode(&reader))
        case EPMDRequest.Code.portPlease: return .portPlease(name: try decodeName(&reader))
        case EPMDRequest.Code.stop: return .stop(name: try decodeName(&reader))
        // Bytes after these three codes are ignored, as OTP's daemon does.
        case EPMDRequest.Code.names: return .names
        case EPMDRequest.Code.dump: return .dump
        case EPMDRequest.Code.kill: return .kill
        default: throw .unknownCode(code)
        }
    }

    private static func decodeNode(
        _ reader: inout BigEndianReader
    ) throws(EPMDRequestError) -> EPMDNodeInfo {
        guard let node = try reader.readNode(invalidName: EPMDRequestError.invalidName)
        else { throw .truncated }
        guard node.extra.count <= EPMDNodeInfo.maximumExtraByteCount else {
            throw .tooLong(byteCount: node.extra.count)
        }
        // Bytes after the last field are reserved for later versions of the protocol.
        return node
    }

    /// The name that fills the rest of a request. Old nodes add a NUL to it.
    private static func decodeName(
        _ reader: inout BigEndianReader
    ) throws(EPMDRequestError) -> String {
        var bytes = reader.readRest()
        if bytes.last == 0 { bytes.removeLast() }
        guard let name = EPMDName.decode(bytes) else { throw .invalidName }
        return name
    }
}

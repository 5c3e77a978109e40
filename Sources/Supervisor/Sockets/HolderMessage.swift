/// What deployex asks of the holder of its sockets. Each request is one packet, gets one reply, and is
/// understood by all versions of deployex: a holder goes on when deployex is replaced by a newer one.
///
/// A packet is the version, 1, a byte that says which message it is, and its text or number.
package enum HolderRequest: Equatable, Sendable {
    /// Keep the listening socket that comes with this, instead of another one of that name.
    case keep(HeldSocketName)
    case drop(HeldSocketName)
    /// Send the socket at that place, in the order of the names.
    case item(UInt16)
    /// Close everything, and end.
    case end
}

package enum HolderReply: Equatable, Sendable {
    case done
    /// The socket comes with it.
    case item(HeldSocketName)
    /// There are not so many.
    case noItem
    case refused(HolderRefusal)
}

package enum HolderRefusal: UInt8, Error, Equatable, Sendable, CustomStringConvertible {
    case notUnderstood = 1
    case noListeningSocket = 2
    case tooMany = 3

    package var description: String {
        switch self {
        case .notUnderstood: "the holder does not understand the request"
        case .noListeningSocket: "the holder has got no listening socket"
        case .tooMany: "the holder has as many sockets as it keeps"
        }
    }
}

/// The bytes of both.
package enum HolderPacket {
    /// More than any message needs.
    package static let maximumByteCount = 256
    static let version: UInt8 = 1

    fileprivate static func text(_ bytes: ArraySlice<UInt8>) -> HeldSocketName? {
        // What is not UTF-8 makes no name.
        HeldSocketName(String(decoding: bytes, as: UTF8.self))
    }
}

extension HolderRequest {
    package var bytes: [UInt8] {
        let version = HolderPacket.version
        return switch self {
        case .keep(let name): [version, 1] + Array("\(name)".utf8)
        case .drop(let name): [version, 2] + Array("\(name)".utf8)
        case .item(let place): [version, 3, UInt8(place >> 8), UInt8(place & 0xFF)]
        case .end: [version, 4]
        }
    }

    /// - Returns: `nil` for what is no request.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 2, bytes[0] == HolderPacket.version else { return nil }
        let rest = bytes[2...]
        switch (bytes[1], rest.count) {
        case (1, _):
            guard let name = HolderPacket.text(rest) else { return nil }
            self = .keep(name)
        case (2, _):
            guard let name = HolderPacket.text(rest) else { return nil }
            self = .drop(name)
        case (3, 2): self = .item(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
        case (4, 0): self = .end
        default: return nil
        }
    }
}

extension HolderReply {
    package var bytes: [UInt8] {
        let version = HolderPacket.version
        return switch self {
        case .done: [version, 1]
        case .item(let name): [version, 2] + Array("\(name)".utf8)
        case .noItem: [version, 3]
        case .refused(let refusal): [version, 4, refusal.rawValue]
        }
    }

    /// - Returns: `nil` for what is no reply.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 2, bytes[0] == HolderPacket.version else { return nil }
        let rest = bytes[2...]
        switch (bytes[1], rest.count) {
        case (1, 0): self = .done
        case (2, _):
            guard let name = HolderPacket.text(rest) else { return nil }
            self = .item(name)
        case (3, 0): self = .noItem
        case (4, 1):
            guard let refusal = HolderRefusal(rawValue: bytes[2]) else { return nil }
            self = .refused(refusal)
        default: return nil
        }
    }
}

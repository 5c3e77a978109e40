internal import Transport

/// A public key of minisign's.
package struct MinisignPublicKey: Equatable, Hashable, Sendable, CustomStringConvertible {
    /// A random number by which a signature names its key.
    package let id: [UInt8]
    package let key: [UInt8]

    package static let idByteCount = 8
    private static let byteCount = 2 + idByteCount + Ed25519.keyByteCount

    package init(id: [UInt8], key: [UInt8]) {
        precondition(id.count == Self.idByteCount && key.count == Ed25519.keyByteCount)
        self.id = id
        self.key = key
    }

    /// - Parameter line: the line in base64 that begins with `RW`.
    package init?(_ line: String) {
        guard let bytes = MinisignFile.bytes(line, count: Self.byteCount),
            Array(bytes.prefix(2)) == MinisignFile.algorithm
        else { return nil }
        id = Array(bytes[2..<10])
        key = Array(bytes[10...])
    }

    /// The line in base64.
    package var line: String { MinisignFile.text(MinisignFile.algorithm + id + key) }

    /// Its number, as `minisign` shows it.
    package var description: String { MinisignFile.text(ofID: id) }
}

extension MinisignPublicKey {
    /// The most bytes that a file with public keys may have.
    package static let maximumFileByteCount = 64 << 10
    package static let maximumCount = 64

    /// The keys in a file: what `minisign -G` has written, one or several after the other, with or
    /// without their comments.
    package static func parse(
        _ bytes: [UInt8]
    ) throws(PublicKeysError) -> [MinisignPublicKey] {
        guard let lines = MinisignFile.lines(bytes) else { throw .noText }
        var keys: [MinisignPublicKey] = []
        for (index, line) in lines.enumerated() {
            guard !line.isEmpty, !line.hasPrefix(MinisignFile.untrustedPrefix) else { continue }
            guard let key = MinisignPublicKey(line) else {
                throw MinisignSecretKeyFile.isSecretKey(line)
                    ? .secretKey(line: index + 1) : .noKey(line: index + 1)
            }
            guard keys.count < maximumCount else { throw .tooMany }
            if !keys.contains(key) { keys.append(key) }
        }
        guard !keys.isEmpty else { throw .empty }
        return keys
    }
}

/// Why bytes are not public keys.
package enum PublicKeysError: Error, Equatable, Sendable, CustomStringConvertible {
    case noText
    case empty
    case noKey(line: Int)
    case secretKey(line: Int)
    case tooMany

    package var description: String {
        switch self {
        case .noText: "it is no text"
        case .empty: "there is no key in it"
        case .noKey(let line):
            "line \(line) is no public key of minisign's, which has 56 characters and begins with RW"
        case .secretKey(let line):
            "line \(line) is a secret key: name the file with the public key, which `minisign -G` "
                + "has written beside it"
        case .tooMany: "it has more than \(MinisignPublicKey.maximumCount) keys"
        }
    }
}

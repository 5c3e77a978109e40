internal import Transport

/// A secret key of minisign's, ready to sign.
package struct MinisignSecretKey: Sendable, CustomStringConvertible {
    private let seed: [UInt8]
    package let publicKey: MinisignPublicKey

    fileprivate init(seed: [UInt8], publicKey: MinisignPublicKey) {
        self.seed = seed
        self.publicKey = publicKey
    }

    /// The number of the key, never the key.
    package var description: String { publicKey.description }

    /// Signs a package as a release.
    /// - Parameter blake2b512: the digest of the package's bytes.
    package func sign(_ blake2b512: [UInt8], as release: SignedRelease) -> MinisignSignature {
        let signature = Ed25519.signature(of: blake2b512, seed: seed)
        let comment = release.comment
        return MinisignSignature(
            untrustedComment: "signature from deployex", keyID: publicKey.id,
            signature: signature, trustedComment: comment,
            commentSignature: Ed25519.signature(
                of: MinisignSignature.signedWithComment(signature, comment), seed: seed))
    }
}

/// The content of the file with a secret key, which a password may protect.
///
/// After `Ed` it has the algorithm of the password (`Sc`, or zeros), the checksum's (`B2`), the salt,
/// the two numbers of the password's cost, and then, encrypted if there is a password, the key's
/// number, the secret key and the checksum.
package struct MinisignSecretKeyFile: Sendable {
    /// How much work the password takes; `nil` if there is no password.
    private let scrypt: Scrypt?
    private let salt: [UInt8]
    /// The key's number, the secret key, which ends with the public one, and the checksum.
    private let secret: [UInt8]

    /// The most bytes that the file may have.
    package static let maximumByteCount = 4096

    private static let saltByteCount = 32
    private static let secretByteCount = 8 + 64 + 32
    private static let byteCount = 6 + saltByteCount + 16 + secretByteCount
    /// What `minisign -G` takes, 1 GiB, is the most that a file may ask for.
    private static let maximumMemory: UInt64 = 1 << 30
    private static let maximumWork: UInt64 = 1 << 26

    package init(parsing bytes: [UInt8]) throws(SecretKeyError) {
        guard bytes.count <= Self.maximumByteCount, let lines = MinisignFile.lines(bytes),
            lines.count == 2, lines[0].hasPrefix(MinisignFile.untrustedPrefix),
            let key = Self.bytes(lines[1])
        else {
            let lines = MinisignFile.lines(bytes) ?? []
            let isPublic = lines.contains { MinisignPublicKey($0) != nil }
            throw isPublic ? .publicKey : .noKey
        }
        salt = Array(key[6..<38])
        secret = Array(key[54...])
        switch Array(key[2..<4]) {
        case [0, 0]: scrypt = nil
        case Array("Sc".utf8):
            let scrypt = Self.scrypt(
                work: Self.number(key[38..<46]), memory: Self.number(key[46..<54]))
            guard let scrypt else { throw .tooCostly }
            self.scrypt = scrypt
        default: throw .unknownAlgorithm
        }
    }

    package var isEncrypted: Bool { scrypt != nil }

    /// The key.
    ///
    /// It blocks, with a password for seconds. OpenSSL 3.0 does not have the checksum's BLAKE2b with
    /// 32 bytes. Instead, the public key that the secret one gives must be the one beside it.
    /// - Parameter password: of an encrypted one; it is not looked at otherwise.
    package func key(password: [UInt8]) throws(SecretKeyError) -> MinisignSecretKey {
        var secret = secret
        if let scrypt {
            let stream = scrypt.key(of: password, salt: salt, byteCount: secret.count)
            guard let stream else { throw .noMemory(byteCount: scrypt.memory) }
            secret = zip(secret, stream).map { $0 ^ $1 }
        }
        let seed = Array(secret[8..<40])
        let publicKey = Array(secret[40..<72])
        guard Ed25519.publicKey(ofSeed: seed) == publicKey else {
            throw isEncrypted ? .wrongPassword : .damaged
        }
        return MinisignSecretKey(
            seed: seed, publicKey: MinisignPublicKey(id: Array(secret[..<8]), key: publicKey))
    }

    /// Whether a line in base64 is a secret key.
    static func isSecretKey(_ line: String) -> Bool { bytes(line) != nil }

    private static func bytes(_ line: String) -> [UInt8]? {
        guard let bytes = MinisignFile.bytes(line, count: byteCount),
            Array(bytes.prefix(2)) == MinisignFile.algorithm,
            Array(bytes[4..<6]) == Array("B2".utf8)
        else { return nil }
        return bytes
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The numbers of scrypt that libsodium makes of the two limits in the file; `nil` if they are
    /// so large that deriving the key would be an attack.
    ///
    /// Source: libsodium, pickparams() in pwhash_scryptsalsa208sha256.c.
    static func scrypt(work: UInt64, memory: UInt64) -> Scrypt? {
        guard work <= maximumWork, memory <= maximumMemory else { return nil }
        let work = max(work, 32_768)
        let blockSize: UInt64 = 8
        func exponent(upTo most: UInt64) -> Int {
            var exponent = 1
            while 1 << UInt64(exponent) <= most / 2 { exponent += 1 }
            return exponent
        }
        if work < memory / 32 {
            return Scrypt(
                exponent: exponent(upTo: work / (blockSize * 4)), blockSize: Int(blockSize),
                parallelization: 1)
        }
        let cost = exponent(upTo: memory / (blockSize * 128))
        let rounds = min((work / 4) >> UInt64(cost), 0x3FFF_FFFF)
        return Scrypt(
            exponent: cost, blockSize: Int(blockSize), parallelization: Int(rounds / blockSize))
    }
}

/// Why a file is no secret key that can be used.
package enum SecretKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    case noKey
    case publicKey
    case unknownAlgorithm
    case tooCostly
    case noMemory(byteCount: Int)
    case wrongPassword
    case damaged

    package var description: String {
        switch self {
        case .noKey: "it is no secret key of minisign's: make one with `minisign -G`"
        case .publicKey: "it is a public key: name the secret one, which is beside it"
        case .unknownAlgorithm: "its password is used by an unknown algorithm"
        case .tooCostly: "its password would take more than 1 GiB of memory, or very long"
        case .noMemory(let byteCount):
            "there is no memory for its password, which takes \(byteCount >> 20) MiB"
        case .wrongPassword: "the password is wrong, or the file is damaged"
        case .damaged: "it is damaged: its secret and its public key do not belong together"
        }
    }
}

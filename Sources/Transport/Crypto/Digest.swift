internal import COpenSSL

/// A message digest, of bytes at once or as they come.
package struct Digest: ~Copyable {
    package enum Algorithm: String, Sendable {
        case sha256 = "SHA256"
        case md5 = "MD5"
        case blake2b512 = "BLAKE2B512"
    }

    private let context: OpaquePointer

    package init(_ algorithm: Algorithm) {
        guard let context = EVP_MD_CTX_new(), let digest = EVP_get_digestbyname(algorithm.rawValue),
            EVP_DigestInit_ex(context, digest, nil) == 1
        else { preconditionFailure("OpenSSL has \(algorithm.rawValue)") }
        self.context = context
    }

    /// Whether this host's rules on cryptography allow it; they may leave out MD5.
    package static func isAvailable(_ algorithm: Algorithm) -> Bool {
        guard let digest = EVP_MD_fetch(nil, algorithm.rawValue, nil) else { return false }
        EVP_MD_free(digest)
        return true
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let isDone = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(isDone == 1, "A digest takes all bytes")
    }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The digest of what has been given; nothing more can be.
    package consuming func value() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let isDone = EVP_DigestFinal_ex(context, &digest, &count)
        precondition(isDone == 1, "A digest ends")
        return Array(digest.prefix(Int(count)))
    }

    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = Digest(.sha256)
        digest.update(bytes)
        return digest.value()
    }

    /// HMAC with SHA-256 (RFC 2104).
    package static func hmacSHA256(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        var count = 0
        let isDone = EVP_Q_mac(
            nil, "HMAC", nil, "SHA256", nil, key, key.count, bytes, bytes.count, &code, 32, &count)
        precondition(isDone != nil && count == 32, "OpenSSL has HMAC")
        return code
    }

    /// The bytes of a text in hexadecimal; empty if it is none.
    package static func bytes(_ text: String) -> [UInt8] {
        let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count % 2 == 0, !digits.contains(nil) else { return [] }
        return stride(from: 0, to: digits.count, by: 2).map { place in
            UInt8((digits[place] ?? 0) << 4 | (digits[place + 1] ?? 0))
        }
    }

    /// In hexadecimal.
    package static func text(_ digest: some Sequence<UInt8>) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

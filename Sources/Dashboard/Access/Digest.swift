internal import COpenSSL

/// SHA-256 of bytes.
enum Digest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        let isDone = EVP_Q_digest(
            nil, "SHA256", nil, bytes, bytes.count, &digest, nil)
        precondition(isDone == 1, "OpenSSL has SHA-256")
        return digest
    }

    /// In hexadecimal.
    static func text(_ digest: some Sequence<UInt8>) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

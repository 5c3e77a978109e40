internal import COpenSSL

/// Signatures with Ed25519.
///
/// Source: RFC 8032.
package enum Ed25519 {
    package static let seedByteCount = 32
    package static let keyByteCount = 32
    package static let signatureByteCount = 64

    private static let name = "ED25519"

    /// The public key that belongs to the private key of that seed.
    package static func publicKey(ofSeed seed: [UInt8]) -> [UInt8] {
        let key = privateKey(seed)
        defer { EVP_PKEY_free(key) }
        var bytes = [UInt8](repeating: 0, count: keyByteCount)
        var count = bytes.count
        let isDone = EVP_PKEY_get_raw_public_key(key, &bytes, &count)
        precondition(isDone == 1 && count == keyByteCount, "A private key has a public one")
        return bytes
    }

    package static func signature(of message: [UInt8], seed: [UInt8]) -> [UInt8] {
        let (key, context) = (privateKey(seed), EVP_MD_CTX_new())
        defer {
            EVP_MD_CTX_free(context)
            EVP_PKEY_free(key)
        }
        var signature = [UInt8](repeating: 0, count: signatureByteCount)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            count == signatureByteCount
        else { preconditionFailure("OpenSSL signs with a private key") }
        return signature
    }

    /// Whether the owner of the public key has signed this message.
    package static func isSignature(
        _ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]
    ) -> Bool {
        guard publicKey.count == keyByteCount, signature.count == signatureByteCount,
            let key = EVP_PKEY_new_raw_public_key_ex(
                nil, name, nil, publicKey, publicKey.count)
        else { return false }
        let context = EVP_MD_CTX_new()
        defer {
            EVP_MD_CTX_free(context)
            EVP_PKEY_free(key)
        }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        let isValid =
            EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // What does not verify leaves an error in the thread's queue, where TLS would find it.
        if !isValid { ERR_clear_error() }
        return isValid
    }

    private static func privateKey(_ seed: [UInt8]) -> OpaquePointer {
        precondition(seed.count == seedByteCount, "A seed has 32 bytes")
        guard let key = EVP_PKEY_new_raw_private_key_ex(nil, name, nil, seed, seed.count) else {
            preconditionFailure("OpenSSL has Ed25519")
        }
        return key
    }
}

internal import Transport

/// The digests of a package, as its bytes come: the one in `current.json`, and the one that is
/// signed.
struct PackageDigests: ~Copyable {
    private var sha256 = Digest(.sha256)
    private var blake2b512 = Digest(.blake2b512)

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        sha256.update(bytes)
        blake2b512.update(bytes)
    }

    /// - Returns: the SHA-256 in lower-case hexadecimal digits.
    consuming func values() -> (sha256: String, blake2b512: [UInt8]) {
        (Digest.text(sha256.value()), blake2b512.value())
    }
}

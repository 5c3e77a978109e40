internal import COpenSSL

/// How much work scrypt is: what makes a password slow to guess.
///
/// Source: RFC 7914.
package struct Scrypt: Equatable, Sendable {
    /// The cost N is a power of two; this is its exponent.
    package var exponent: Int
    /// r
    package var blockSize: Int
    /// p
    package var parallelization: Int

    package init(exponent: Int, blockSize: Int, parallelization: Int) {
        self.exponent = exponent
        self.blockSize = blockSize
        self.parallelization = parallelization
    }

    /// The memory that it takes, in bytes.
    package var memory: Int { 128 * blockSize << exponent }

    /// The key that a password gives. It blocks, for seconds if so much work is asked for.
    /// - Returns: `nil` if there is not enough memory, or the numbers are none that scrypt has.
    package func key(of password: [UInt8], salt: [UInt8], byteCount: Int) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: byteCount)
        let bytes = password.map { CChar(bitPattern: $0) }
        // OpenSSL's own limit is 32 MiB, and a little comes on top of what is counted above.
        let isDone = EVP_PBE_scrypt(
            bytes, bytes.count, salt, salt.count, 1 << UInt64(exponent), UInt64(blockSize),
            UInt64(parallelization), UInt64(memory + 4 << 20), &key, key.count)
        guard isDone == 1 else {
            ERR_clear_error()
            return nil
        }
        return key
    }
}

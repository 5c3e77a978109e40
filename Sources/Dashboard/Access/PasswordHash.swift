internal import Transport

/// A password as it is kept: `scrypt:14:8:5:SALT:HASH`. The numbers are scrypt's cost (a power of
/// two), block size and parallelization, and what follows is in hexadecimal.
///
/// Source: RFC 7914. 2^14, 8 and 5 take 16 MiB and some tenths of a second, as OWASP's "Password
/// Storage Cheat Sheet" recommends.
package struct PasswordHash: Equatable, Sendable {
    private var exponent = 14
    private var blockSize = 8
    private var parallelization = 5
    private var salt: [UInt8]
    private var hash: [UInt8]

    /// What a password may have, in bytes of UTF-8.
    package static let byteCounts = 8...1024

    /// What is verified takes no more memory than this, and no more time than four times the usual.
    private static let maximumMemory = 64 << 20
    private static let costs = (1 << 17)...(4 * (1 << 14) * 8 * 5)

    /// The hash of a new password. It blocks for some tenths of a second.
    /// - Precondition: the password's length is in ``byteCounts``.
    package init(of password: String) {
        precondition(Self.byteCounts.contains(password.utf8.count), "It has been checked")
        var generator = SystemRandomNumberGenerator()
        salt = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        hash = [UInt8](repeating: 0, count: 32)
        hash = derived(from: password)
    }

    /// - Returns: `nil` if it is not such a text, or if its numbers are too small to protect the
    ///   password or so large that verifying it would be an attack.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "scrypt", let exponent = Self.number(parts[1]),
            let blockSize = Self.number(parts[2]), let parallelization = Self.number(parts[3]),
            (10...20).contains(exponent), (1...32).contains(blockSize),
            (1...16).contains(parallelization),
            128 * blockSize << exponent <= Self.maximumMemory,
            Self.costs.contains(parallelization * blockSize << exponent),
            let salt = Self.bytes(parts[4]), (16...64).contains(salt.count),
            let hash = Self.bytes(parts[5]), (32...64).contains(hash.count)
        else { return nil }
        self.exponent = exponent
        self.blockSize = blockSize
        self.parallelization = parallelization
        self.salt = salt
        self.hash = hash
    }

    package var text: String {
        "scrypt:\(exponent):\(blockSize):\(parallelization):\(Digest.text(salt)):"
            + Digest.text(hash)
    }

    /// Whether this is its password. It blocks for some tenths of a second, whatever it finds.
    package func isOf(_ password: String) -> Bool {
        SecretComparison.areEqual(derived(from: password), hash)
    }

    private func derived(from password: String) -> [UInt8] {
        let scrypt = Scrypt(
            exponent: exponent, blockSize: blockSize, parallelization: parallelization)
        guard
            let key = scrypt.key(of: Array(password.utf8), salt: salt, byteCount: hash.count)
        else { preconditionFailure("OpenSSL has scrypt, and memory for it") }
        return key
    }

    private static func number(_ text: Substring) -> Int? {
        text.utf8.count <= 2 && text.allSatisfy { ("0"..."9").contains($0) } ? Int(text) : nil
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), digits.count <= 256 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).reduce(into: [UInt8]?.some([])) {
            guard let high = digits[$1], let low = digits[$1 + 1] else {
                $0 = nil
                return
            }
            $0?.append(UInt8(high << 4 | low))
        }
    }
}

/// Text that nobody can guess.
package enum RandomToken {
    /// - Returns: so many random bytes in hexadecimal. 16 bytes are 128 bits.
    package static func hexadecimal(byteCount: Int = 16) -> String {
        // Source: getrandom(2), which Swift's generator calls.
        var generator = SystemRandomNumberGenerator()
        return (0..<byteCount).map { _ in
            let byte = UInt8.random(in: 0...255, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

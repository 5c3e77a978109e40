internal import Glibc

/// The MD5 digest, which the handshake uses to prove that both sides know the cookie.
///
/// Source: RFC 1321.
enum MD5 {
    /// The 16 bytes of the digest.
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var state: (a: UInt32, b: UInt32, c: UInt32, d: UInt32) = (
            0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476
        )
        // 3.1 and 3.2: a one bit, zeros up to 56 modulo 64, then the length in bits.
        var padded = message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bitCount = UInt64(message.count) &* 8
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            padded.append(UInt8(truncatingIfNeeded: bitCount >> shift))
        }
        var words = [UInt32](repeating: 0, count: 16)
        for block in stride(from: 0, to: padded.count, by: 64) {
            for index in 0..<16 {
                let at = block + index * 4
                words[index] =
                    UInt32(padded[at]) | UInt32(padded[at + 1]) << 8
                    | UInt32(padded[at + 2]) << 16 | UInt32(padded[at + 3]) << 24
            }
            mix(words, into: &state)
        }
        return [state.a, state.b, state.c, state.d].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32($0 * 8)) }
        }
    }

    /// 3.4: four rounds of sixteen steps.
    private static func mix(
        _ words: [UInt32], into state: inout (a: UInt32, b: UInt32, c: UInt32, d: UInt32)
    ) {
        var (a, b, c, d) = state
        for step in 0..<64 {
            let mixed: UInt32
            let word: Int
            switch step / 16 {
            case 0:
                mixed = (b & c) | (~b & d)
                word = step
            case 1:
                mixed = (d & b) | (~d & c)
                word = (5 * step + 1) % 16
            case 2:
                mixed = b ^ c ^ d
                word = (3 * step + 5) % 16
            default:
                mixed = c ^ (b | ~d)
                word = (7 * step) % 16
            }
            let sum = a &+ mixed &+ sines[step] &+ words[word]
            let shift = shifts[step / 16][step % 4]
            (a, d, c, b) = (d, c, b, b &+ (sum << shift | sum >> (32 - shift)))
        }
        state = (state.a &+ a, state.b &+ b, state.c &+ c, state.d &+ d)
    }

    private static let shifts: [[UInt32]] = [
        [7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21],
    ]

    /// The integer part of 4294967296 × |sin(i)|, i from 1 to 64 in radians.
    private static let sines = (1...64).map { UInt32(4_294_967_296 * abs(sin(Double($0)))) }
}

/// What an application printed, byte by byte, made safe for a terminal: as ``SafeText`` does, but
/// with the ends of lines, and with colours.
///
/// Bytes come as they were read, so that a character or a sequence may be cut: its beginning is
/// kept until the rest is there, or ``finish()``. It does no I/O.
package struct TerminalFilter: Equatable, Sendable {
    /// The beginning of a character or of a sequence: a few bytes.
    private var kept: [UInt8] = []

    /// Longer than what sets all that one sequence can set.
    private static let maximumSequenceByteCount = 64

    package init() {}

    package mutating func pass(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let input = kept + bytes
        kept = []
        var output: [UInt8] = []
        output.reserveCapacity(input.count)
        var rest = input[...]
        while !rest.isEmpty {
            switch Self.first(of: rest) {
            case .shown(let count):
                output += rest.prefix(count)
                rest = rest.dropFirst(count)
            case .escaped(let count, let value):
                output += SafeText.number(value).utf8
                rest = rest.dropFirst(count)
            case .cut:
                kept = Array(rest)
                return output
            }
        }
        return output
    }

    /// What was kept and has no rest, as numbers.
    package mutating func finish() -> [UInt8] {
        defer { kept = [] }
        return kept.flatMap { SafeText.number(UInt32($0)).utf8 }
    }

    /// What stands at the beginning of some bytes.
    private enum Part {
        /// So many bytes that are harmless.
        case shown(byteCount: Int)
        /// So many bytes that are one harmful character.
        case escaped(byteCount: Int, UInt32)
        /// More bytes are needed to tell.
        case cut
    }

    private static func first(of bytes: ArraySlice<UInt8>) -> Part {
        guard let byte = bytes.first else { return .cut }
        switch byte {
        case 0x20..<0x7F, 0x09, 0x0A: return .shown(byteCount: 1)
        case 0x0D: return lineEnd(bytes)
        case 0x1B: return colour(bytes)
        case 0x80...: return character(bytes)
        default: return .escaped(byteCount: 1, UInt32(byte))
        }
    }

    /// Alone, a carriage return lets what follows overwrite the line.
    private static func lineEnd(_ bytes: ArraySlice<UInt8>) -> Part {
        guard let next = bytes.dropFirst().first else { return .cut }
        return next == 0x0A ? .shown(byteCount: 2) : .escaped(byteCount: 1, 0x0D)
    }

    /// `ESC [ 1 ; 31 m` sets colours and does nothing else. Source: ECMA-48, 8.3.117 (SGR).
    private static func colour(_ bytes: ArraySlice<UInt8>) -> Part {
        let escape = Part.escaped(byteCount: 1, 0x1B)
        var count = 1
        for byte in bytes.dropFirst().prefix(maximumSequenceByteCount) {
            count += 1
            switch byte {
            case UInt8(ascii: "[") where count == 2: continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ";"), UInt8(ascii: ":"):
                guard count > 2 else { return escape }
            case UInt8(ascii: "m") where count > 2: return .shown(byteCount: count)
            default: return escape
            }
        }
        return count <= maximumSequenceByteCount ? .cut : escape
    }

    /// A character of UTF-8; a byte that belongs to none is shown as its number.
    private static func character(_ bytes: ArraySlice<UInt8>) -> Part {
        guard let lead = bytes.first else { return .cut }
        let length =
            switch lead {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        let following = bytes.dropFirst().prefix(length - 1)
        guard length > 1, following.allSatisfy({ 0x80..<0xC0 ~= $0 }) else {
            return .escaped(byteCount: 1, UInt32(lead))
        }
        guard following.count == length - 1 else { return .cut }
        guard let text = String(validating: bytes.prefix(length), as: UTF8.self),
            let scalar = text.unicodeScalars.first
        else { return .escaped(byteCount: 1, UInt32(lead)) }
        return SafeText.isHarmful(scalar)
            ? .escaped(byteCount: length, scalar.value) : .shown(byteCount: length)
    }
}

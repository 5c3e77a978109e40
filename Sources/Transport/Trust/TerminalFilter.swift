/// Makes what an application printed safe for a terminal, byte by byte. It does what ``SafeText``
/// does, but keeps ends of lines and colours.
///
/// Bytes come as they were read, so a character or a sequence may be cut. Its beginning is kept
/// until the rest comes, or until ``finish()``. It does no I/O.
package struct TerminalFilter: Equatable, Sendable {
    /// The beginning of an unfinished character or sequence: a few bytes.
    private var kept: [UInt8] = []

    /// More than a sequence needs that sets everything one sequence can set.
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

    /// What was kept and got no rest, shown as numbers.
    package mutating func finish() -> [UInt8] {
        defer { kept = [] }
        return kept.flatMap { SafeText.number(UInt32($0)).utf8 }
    }

    /// What some bytes begin with.
    private enum Part {
        /// This many bytes are harmless.
        case shown(byteCount: Int)
        /// This many bytes are one harmful character.
        case escaped(byteCount: Int, UInt32)
        /// More bytes are needed to decide.
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

    /// A carriage return alone lets what follows overwrite the line.
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

    /// A character of UTF-8. A byte that belongs to none is shown as its number.
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

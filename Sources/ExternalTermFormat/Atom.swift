/// An Erlang atom: a name of up to 255 characters that stands for itself.
///
/// Names of up to 15 UTF-8 bytes are stored inside the value and cost no allocation; longer ones
/// share a buffer. Two atoms are equal when their UTF-8 bytes are equal. Unlike `String`, an atom
/// knows no canonical equivalence: `é` as one code point and as two are different atoms in Erlang.
///
/// Source: "External Term Format", erl_ext_dist; `MAX_ATOM_CHARACTERS` in OTP's `atom.h`.
public struct Atom: Hashable, Sendable {
    /// How many characters (Unicode scalars) a real node accepts in one atom.
    public static let maximumLength = 255

    /// Where the name's bytes are. It is always the shortest form, so that equal names have equal
    /// storage.
    enum Storage: Hashable, Sendable {
        /// Up to 15 bytes, the first in the lowest bits, padded with zeros. The widths add up to
        /// 15. So the enum's tag takes the sixteenth byte, and `Term` still fits into two words
        /// around it.
        case inline(UInt64, UInt32, UInt16, UInt8)
        /// More than 15 bytes, or a name that itself holds a zero byte.
        case shared([UInt8])
    }

    let storage: Storage

    private init(storage: Storage) {
        self.storage = storage
    }

    /// The atom with that name. (A literal, as in `Atom("ok")`, is no call of this function.)
    /// - Throws: ``TermError/atomTooLong(byteCount:)`` for a name of more than ``maximumLength``
    ///   characters, which no node accepts.
    public init(_ name: String) throws(TermError) {
        guard Self.isShortEnough(name) else { throw .atomTooLong(byteCount: name.utf8.count) }
        self.init(shortEnough: name)
    }

    /// The atom with a name that is known not to be too long.
    package init(shortEnough name: String) {
        var name = name
        self = name.withUTF8 { buffer in unsafe Atom(validUTF8: buffer.span) }
    }

    private static func isShortEnough(_ name: String) -> Bool {
        name.utf8.count <= maximumLength || name.unicodeScalars.count <= maximumLength
    }

    /// The name as text.
    public var name: String {
        switch storage {
        case .inline: String(decoding: utf8, as: UTF8.self)
        case .shared(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }
}

extension Atom {
    /// The most bytes that fit into the value itself.
    static let inlineCapacity = 15

    /// The atom whose name is these bytes, which are known to be valid UTF-8.
    init(validUTF8 bytes: Span<UInt8>) {
        guard bytes.count <= Self.inlineCapacity else {
            self.init(storage: .shared(Array(copying: bytes)))
            return
        }
        var (low, high): (UInt64, UInt64) = (0, 0)
        var hasZero = false
        for index in bytes.indices {
            let byte = UInt64(bytes[index])
            hasZero = hasZero || byte == 0
            if index < 8 {
                low |= byte &<< UInt64(index &* 8)
            } else {
                high |= byte &<< UInt64((index &- 8) &* 8)
            }
        }
        if hasZero {
            self.init(storage: .shared(Array(copying: bytes)))
        } else {
            self.init(low: low, high: high)
        }
    }

    /// The atom whose name is the first `count` bytes of two little-endian words; `nil` unless all
    /// are ASCII and none is zero. Nearly all atoms are like that, and need neither a loop nor a
    /// validation.
    @inline(__always)
    init?(asciiLow low: UInt64, high: UInt64, count: Int) {
        // Shifting by the width or more gives 0.
        let lowMask = UInt64.max >> (64 - min(count, 8) * 8)
        let highMask = UInt64.max >> (64 - max(count - 8, 0) * 8)
        let (low, high) = (low & lowMask, high & highMask)
        let highBits: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        // A byte without its high bit borrows into it only if it was zero.
        let lowZeros = (low | ~lowMask & ones) &- ones
        let highZeros = (high | ~highMask & ones) &- ones
        guard (low | high | lowZeros | highZeros) & highBits == 0 else { return nil }
        self.init(low: low, high: high)
    }

    /// An inline name from two little-endian words. The top byte of `high` and all bytes after the
    /// name are 0.
    @inline(__always)
    init(low: UInt64, high: UInt64) {
        self.init(
            storage: .inline(
                low, UInt32(truncatingIfNeeded: high), UInt16(truncatingIfNeeded: high &>> 32),
                UInt8(truncatingIfNeeded: high &>> 48)))
    }

    /// The upper word of an inline name.
    static func highWord(_ first: UInt32, _ second: UInt16, _ third: UInt8) -> UInt64 {
        UInt64(first) | UInt64(second) &<< 32 | UInt64(third) &<< 48
    }

    /// How many bytes an inline name has.
    static func inlineByteCount(low: UInt64, high: UInt64) -> Int {
        let used = high == 0 ? 64 - low.leadingZeroBitCount : 128 - high.leadingZeroBitCount
        return (used + 7) / 8
    }

    /// How many UTF-8 bytes the name has.
    public var utf8Count: Int {
        switch storage {
        case .inline(let low, let first, let second, let third):
            Self.inlineByteCount(low: low, high: Self.highWord(first, second, third))
        case .shared(let bytes): bytes.count
        }
    }

    /// The name's UTF-8 bytes.
    public var utf8: [UInt8] {
        switch storage {
        case .inline(let low, let first, let second, let third):
            let high = Self.highWord(first, second, third)
            return (0..<Self.inlineByteCount(low: low, high: high)).map { index in
                let word = index < 8 ? low : high
                return UInt8(truncatingIfNeeded: word &>> UInt64((index & 7) &* 8))
            }
        case .shared(let bytes): return bytes
        }
    }
}

extension Atom: ExpressibleByStringLiteral {
    /// Only the first ``maximumLength`` characters of a longer literal count.
    public init(stringLiteral value: String) {
        self.init(
            shortEnough: Self.isShortEnough(value)
                ? value : String(value.unicodeScalars.prefix(Self.maximumLength)))
    }
}

extension Atom {
    /// `true`
    public static let `true` = Atom("true")
    /// `false`
    public static let `false` = Atom("false")
    /// `ok`
    public static let ok = Atom("ok")
    /// `error`
    public static let error = Atom("error")
    /// `undefined`
    public static let undefined = Atom("undefined")
    /// `nil`
    public static let `nil` = Atom("nil")
    /// `normal`
    public static let normal = Atom("normal")
    /// `infinity`
    public static let infinity = Atom("infinity")
}

extension [UInt8] {
    /// Copies the bytes of a span.
    init(copying span: Span<UInt8>) {
        self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }
}

/// A set of Unicode's scalars, as ranges of their numbers.
package struct ScalarSet: Equatable, Sendable {
    /// In order; they neither overlap nor touch.
    private(set) var ranges: [ClosedRange<UInt32>] = []

    init() {}

    init(_ scalar: Unicode.Scalar, ignoringCase: Bool = false) {
        insert(scalar...scalar, ignoringCase: ignoringCase)
    }

    private init(_ ranges: [ClosedRange<UInt32>]) {
        self.ranges = ranges
    }

    static let all = ScalarSet([0...0xD7FF, 0xE000...0x10FFFF])
    static let digits = ScalarSet([0x30...0x39])
    static let wordCharacters = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// Space, tab, line feed, line tabulation, form feed and carriage return.
    static let whiteSpace = ScalarSet([0x09...0x0D, 0x20...0x20])

    /// The one scalar in it, if there is one only.
    var only: Unicode.Scalar? {
        guard ranges.count == 1, ranges[0].count == 1 else { return nil }
        return Unicode.Scalar(ranges[0].lowerBound)
    }

    /// All scalars that are not in it.
    var inverted: ScalarSet {
        var result: [ClosedRange<UInt32>] = []
        for whole in Self.all.ranges {
            var next = whole.lowerBound
            for range in ranges where range.overlaps(whole) {
                let lower = max(range.lowerBound, whole.lowerBound)
                if lower > next { result.append(next...(lower - 1)) }
                next = min(range.upperBound, whole.upperBound) + 1
            }
            if next <= whole.upperBound { result.append(next...whole.upperBound) }
        }
        return ScalarSet(result)
    }

    /// - Parameter ignoringCase: adds the other case of each scalar, where that is one scalar. Of a
    ///   range beyond ASCII of more than ``maximumFoldedCount`` scalars only ASCII's are added.
    mutating func insert(_ scalars: ClosedRange<Unicode.Scalar>, ignoringCase: Bool) {
        let numbers = scalars.lowerBound.value...scalars.upperBound.value
        // There are no scalars between them.
        for whole in Self.all.ranges where whole.overlaps(numbers) {
            insert(numbers.clamped(to: whole))
        }
        guard ignoringCase else { return }
        let folded =
            numbers.count <= Self.maximumFoldedCount
            ? numbers : numbers.lowerBound...min(numbers.upperBound, max(numbers.lowerBound, 0x7F))
        guard folded.count <= Self.maximumFoldedCount else { return }
        for number in folded {
            guard let scalar = Unicode.Scalar(number) else { continue }
            for other in [
                scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping,
            ] {
                let scalars = other.unicodeScalars
                if scalars.count == 1, let only = scalars.first { insert(only.value...only.value) }
            }
        }
    }

    static let maximumFoldedCount = 512

    mutating func formUnion(_ other: ScalarSet) {
        for range in other.ranges { insert(range) }
    }

    private mutating func insert(_ new: ClosedRange<UInt32>) {
        var lower = new.lowerBound
        var upper = new.upperBound
        var result: [ClosedRange<UInt32>] = []
        var after: [ClosedRange<UInt32>] = []
        for range in ranges {
            if range.upperBound + 1 < lower {
                result.append(range)
            } else if upper + 1 < range.lowerBound {
                after.append(range)
            } else {
                lower = min(lower, range.lowerBound)
                upper = max(upper, range.upperBound)
            }
        }
        ranges = result + [lower...upper] + after
    }
}

/// What bytes a set's scalars have in UTF-8: alternatives, each a sequence of ranges of bytes.
struct UTF8Ranges {
    private(set) var sequences: [[ClosedRange<UInt8>]] = []

    init(_ set: ScalarSet) {
        guard set != .all else {
            // What is matched is UTF-8, so that the first byte says how many follow.
            sequences = Self.anyScalar
            return
        }
        for range in set.ranges { add(range.lowerBound, range.upperBound) }
    }

    private static let anyScalar: [[ClosedRange<UInt8>]] = [
        [0x00...0x7F], [0xC2...0xDF, 0x80...0xBF], [0xE0...0xEF, 0x80...0xBF, 0x80...0xBF],
        [0xF0...0xF4, 0x80...0xBF, 0x80...0xBF, 0x80...0xBF],
    ]

    /// The last scalar with so many bytes.
    private static let lastOfLength: [UInt32] = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF]

    /// Splits a range until the bytes of its first and its last scalar describe it whole: both have
    /// the same number of bytes, and behind the first byte that differs all bytes are free.
    private mutating func add(_ lower: UInt32, _ upper: UInt32) {
        for last in Self.lastOfLength where lower <= last && last < upper {
            add(lower, last)
            return add(last + 1, upper)
        }
        for freeByteCount in 1..<4 where upper > 0x7F {
            let free = UInt32(1) << (6 * UInt32(freeByteCount)) - 1
            guard lower & ~free != upper & ~free else { continue }
            if lower & free != 0 {
                add(lower, lower | free)
                return add((lower | free) + 1, upper)
            }
            if upper & free != free {
                add(lower, (upper & ~free) - 1)
                return add(upper & ~free, upper)
            }
        }
        sequences.append(zip(Self.bytes(lower), Self.bytes(upper)).map { $0...$1 })
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        guard let scalar = Unicode.Scalar(number) else {
            preconditionFailure("A set holds scalars only")
        }
        return Array(String(scalar).utf8)
    }
}

/// The elements of a proper list of integers, where they stand in the bytes.
///
/// Source: `SMALL_INTEGER_EXT`, `INTEGER_EXT` and `NIL_EXT`, erl_ext_dist.
struct IntegerRun {
    private let start: Int
    private let count: Int
    /// The position of the nil that ends the list.
    let end: Int

    /// Finds `count` integers of up to 32 bits, at least one, followed by nil; `nil` for anything
    /// else.
    ///
    /// It allocates nothing, so a list that turns out to contain something else has cost little.
    init?(_ count: Int, at start: Int, in bytes: Span<UInt8>) {
        guard count > 0 else { return nil }
        var offset = start
        var missing = count
        while missing > 0 {
            if missing >= 4, Self.areFourSmall(at: offset, in: bytes) {
                offset &+= 8
                missing &-= 4
                continue
            }
            guard offset < bytes.count else { return nil }
            switch bytes[offset] {
            case Tag.smallInteger: offset &+= 2
            case Tag.integer: offset &+= 5
            default: return nil
            }
            missing &-= 1
        }
        guard offset < bytes.count, bytes[offset] == Tag.nil else { return nil }
        self.start = start
        self.count = count
        end = offset
    }

    /// Whether the next eight bytes are four integers of two bytes.
    @inline(__always)
    private static func areFourSmall(at offset: Int, in bytes: Span<UInt8>) -> Bool {
        guard bytes.count &- offset >= 8 else { return false }
        // In bounds because of the check above. Integers have no invalid bit patterns.
        let word = unsafe bytes.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset, as: UInt64.self)
        let tags = UInt64(Tag.smallInteger) &* 0x0001_0001_0001_0001
        return UInt64(littleEndian: word) & 0x00FF_00FF_00FF_00FF == tags
    }

    /// The integers, from the bytes in which they were found.
    func integers(in bytes: Span<UInt8>) -> [Int] {
        let found = bytes.extracting(start..<end)
        return unsafe found.withUnsafeBytes { found in
            unsafe [Int](unsafeUninitializedCapacity: count) { integers, initializedCount in
                // None of the `count` integers that were found lies after the end of `found`.
                if found.count == count &* 2 {
                    for index in 0..<count {
                        unsafe integers[index] = Int(found[index &* 2 &+ 1])
                    }
                } else {
                    unsafe Self.read(found, into: integers, count: count)
                }
                initializedCount = count
            }
        }
    }

    /// Reads integers of either form.
    private static func read(
        _ found: UnsafeRawBufferPointer, into integers: UnsafeMutableBufferPointer<Int>, count: Int
    ) {
        var offset = 0
        for index in 0..<count {
            if unsafe found[offset] == Tag.smallInteger {
                unsafe integers[index] = Int(found[offset &+ 1])
                offset &+= 2
            } else {
                let word = unsafe found.loadUnaligned(fromByteOffset: offset &+ 1, as: Int32.self)
                unsafe integers[index] = Int(Int32(bigEndian: word))
                offset &+= 5
            }
        }
    }
}

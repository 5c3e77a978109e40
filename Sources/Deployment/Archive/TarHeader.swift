/// One 512-byte header block, as it stands in the archive.
///
/// Shapes: v7, POSIX ustar and GNU, which share the first 257 bytes.
/// Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
struct TarHeader: Equatable {
    static let byteCount = 512

    var name: [UInt8]
    var mode: Int64
    var byteCount: Int64
    var modified: Int64
    var type: UInt8
    var linkName: [UInt8]

    /// `nil` for a block of zeros, which ends an archive.
    /// - Parameters:
    ///   - block: 512 bytes.
    ///   - previous: the entry before, for errors.
    init?(_ block: [UInt8], after previous: String) throws(TarError) {
        precondition(block.count == Self.byteCount, "A header is one block")
        guard block.contains(where: { $0 != 0 }) else { return nil }
        guard Self.isChecksumRight(block) else { throw .wrongChecksum(entry: previous) }

        var name = Self.text(block[0..<100])
        // GNU keeps other fields where POSIX has the prefix, and has another magic.
        if block[257..<263].elementsEqual("ustar\0".utf8) {
            let prefix = Self.text(block[345..<500])
            if !prefix.isEmpty { name = prefix + [UInt8(ascii: "/")] + name }
        }
        let entry = printable(name)
        self.name = name
        func number(
            _ range: Range<Int>, _ field: String, from least: Int64 = 0
        ) throws(TarError) -> Int64 {
            guard let number = Self.number(block[range]), number >= least else {
                throw .wrongNumber(entry: entry, field: field)
            }
            return number
        }
        mode = try number(100..<108, "mode")
        byteCount = try number(124..<136, "size")
        modified = try number(136..<148, "time", from: .min)
        type = block[156]
        linkName = Self.text(block[157..<257])
    }

    /// The checksum is the sum of all bytes, with its own eight bytes counted as spaces. Some old
    /// writers added signed bytes, so readers accept either.
    private static func isChecksumRight(_ block: [UInt8]) -> Bool {
        guard let stored = number(block[148..<156]) else { return false }
        var unsigned: Int64 = 0
        var signed: Int64 = 0
        for (index, byte) in block.enumerated() {
            let byte = (148..<156).contains(index) ? UInt8(ascii: " ") : byte
            unsigned += Int64(byte)
            signed += Int64(Int8(bitPattern: byte))
        }
        return stored == unsigned || stored == signed
    }

    /// A field up to its first NUL.
    private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] {
        Array(field.prefix { $0 != 0 })
    }

    /// Reads octal digits between optional spaces, ended by a space, a NUL or the field's end. If
    /// the first bit is set, it reads a big-endian two's complement number. A field of blanks is 0.
    /// Source: GNU tar manual, "Extensions to the Archive Format" (base-256).
    static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 {
            // 0x80 marks a positive number, 0xFF a negative one: the sign is in the second bit.
            var value: Int64 = first & 0x40 == 0 ? Int64(first & 0x3F) : Int64(first & 0x3F) - 64
            for byte in field.dropFirst() {
                let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
                guard !overflow else { return nil }
                value = shifted | Int64(byte)
            }
            return value
        }
        var value: Int64 = 0
        var rest = field.drop { $0 == UInt8(ascii: " ") }
        while let byte = rest.first, byte != 0, byte != UInt8(ascii: " ") {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) else { return nil }
            // A field has at most twelve digits: 36 bits.
            value = value << 3 | Int64(byte - UInt8(ascii: "0"))
            rest = rest.dropFirst()
        }
        return value
    }
}

/// Builds tar archives byte by byte, right or wrong as a test wants them.
struct TarBuilder {
    private(set) var bytes: [UInt8] = []

    /// Appends a header and, padded to whole blocks, contents.
    /// - Parameter change: is applied to the header before its checksum is computed.
    mutating func add(
        _ name: String, type: Character = "0", contents: [UInt8] = [], mode: UInt32 = 0o644,
        link: String = "", magic: String = "ustar\u{0}00",
        change: (inout [UInt8]) -> Void = { _ in }
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        Self.put(name, into: &header, at: 0)
        Self.putOctal(UInt64(mode), into: &header, at: 100, digits: 7)
        Self.putOctal(UInt64(contents.count), into: &header, at: 124, digits: 11)
        Self.putOctal(1_700_000_000, into: &header, at: 136, digits: 11)
        header[156] = type.asciiValue ?? 0
        Self.put(link, into: &header, at: 157)
        Self.put(magic, into: &header, at: 257)
        change(&header)
        Self.putChecksum(into: &header)
        append(header)
        append(contents)
    }

    /// Appends bytes and zeros up to the next block.
    mutating func append(_ more: [UInt8]) {
        bytes += more
        bytes += [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    mutating func addFile(_ name: String, _ text: String = "x", mode: UInt32 = 0o644) {
        add(name, contents: Array(text.utf8), mode: mode)
    }

    mutating func addFolder(_ name: String, mode: UInt32 = 0o755) {
        add(name, type: "5", mode: mode)
    }

    mutating func addLink(_ name: String, to target: String) {
        add(name, type: "2", link: target)
    }

    mutating func addHardLink(_ name: String, to target: String) {
        add(name, type: "1", link: target)
    }

    /// A pax header for the next member (`x`) or all that follow (`g`).
    mutating func addPax(_ records: [(String, [UInt8])], type: Character = "x") {
        add("PaxHeaders/x", type: type, contents: records.flatMap { Self.record($0, $1) })
    }

    mutating func addLongName(_ name: [UInt8], type: Character = "L") {
        add("././@LongLink", type: type, contents: name + [0], magic: "ustar  \u{0}")
    }

    mutating func end() {
        bytes += [UInt8](repeating: 0, count: 1024)
    }

    var ended: [UInt8] {
        var copy = self
        copy.end()
        return copy.bytes
    }

    static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let body = Array(" \(key)=".utf8) + value + [0x0A]
        var length = body.count + 1
        while String(length).utf8.count + body.count != length { length += 1 }
        return Array(String(length).utf8) + body
    }

    static func put(_ text: String, into header: inout [UInt8], at offset: Int) {
        for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }

    static func putOctal(
        _ value: UInt64, into header: inout [UInt8], at offset: Int, digits: Int
    ) {
        let text = String(value, radix: 8)
        put(
            String(repeating: "0", count: digits - text.count) + text + "\u{0}", into: &header,
            at: offset)
    }

    static func putChecksum(into header: inout [UInt8]) {
        for index in 148..<156 { header[index] = 0x20 }
        let sum = header.reduce(UInt64(0)) { $0 + UInt64($1) }
        putOctal(sum, into: &header, at: 148, digits: 6)
    }

    /// A small whole release of `app`.
    static func release(
        version: String = "1.0.0", then more: (inout TarBuilder) -> Void = { _ in }
    ) -> TarBuilder {
        var tar = TarBuilder()
        tar.addFile("bin/app", "#!/bin/sh\n", mode: 0o755)
        tar.addFile("releases/start_erl.data", "13.1 \(version)\n")
        tar.addFile("releases/\(version)/sys.config", "[].\n")
        more(&tar)
        return tar
    }
}

/// Gzip data in stored blocks: whole members without a compressor.
/// Source: RFC 1951, 3.2.4; RFC 1952.
func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]
    var rest = bytes[...]
    repeat {
        let block = rest.prefix(65535)
        rest = rest.dropFirst(block.count)
        let count = UInt16(block.count)
        result += [rest.isEmpty ? 1 : 0] + littleEndian(count) + littleEndian(~count)
        result += block
    } while !rest.isEmpty
    return result + littleEndian(crc32(bytes))
        + littleEndian(UInt32(truncatingIfNeeded: bytes.count))
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

private let crcTable: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
        value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1
    }
}

private func crc32(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { crcTable[Int(($0 ^ UInt32($1)) & 0xFF)] ^ $0 >> 8 }
}

import Testing

@testable import Deployment

@Suite struct GzipInflaterTests {
    static func inflate(
        _ bytes: [UInt8], pieces: Int = .max, room: Int = 64 << 10, limit: Int64 = 1 << 30
    ) throws(GzipError) -> [UInt8] {
        var inflater = try GzipInflater(limit: limit)
        var output = [UInt8](repeating: 0, count: room)
        var result: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            var piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            while case let count = try inflater.inflate(&piece, into: &output), count > 0 {
                result += output[..<count]
            }
        }
        try inflater.finish()
        return result
    }

    static func error(_ bytes: [UInt8], limit: Int64 = 1 << 30) -> GzipError? {
        do {
            _ = try inflate(bytes, limit: limit)
            return nil
        } catch {
            return error
        }
    }

    let text = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* $0) }

    @Test func `pieces and rooms of any size give the same bytes`() throws {
        let bytes = gzip(text)
        #expect(try Self.inflate(bytes) == text)
        for (pieces, room) in [(1, 1000), (7, 64 << 10), (1000, 1), (70_000, 999)] {
            #expect(try Self.inflate(bytes, pieces: pieces, room: room) == text)
        }
        #expect(try Self.inflate(gzip([])) == [])
    }

    @Test func `several members are one text`() throws {
        let bytes = gzip([1, 2]) + gzip([]) + gzip([3])
        for pieces in [1, 5, 1000] {
            #expect(try Self.inflate(bytes, pieces: pieces) == [1, 2, 3])
        }
    }

    @Test func `zeros may follow, anything else may not`() throws {
        #expect(try Self.inflate(gzip([1]) + [0, 0, 0]) == [1])
        #expect(try Self.inflate(gzip([1]) + [0, 0, 0], pieces: 1) == [1])
        for garbage: [UInt8] in [[1], [0, 1], [0x1F], [0x1F, 0], [0x61, 0x62], [0] + gzip([1])] {
            #expect(Self.error(gzip([1]) + garbage) == .trailingGarbage)
        }
    }

    @Test func `data cut anywhere is an error`() {
        let bytes = gzip([1, 2, 3])
        #expect(Self.error([]) == .notGzip)
        for count in 1..<bytes.count {
            #expect(Self.error(Array(bytes.prefix(count))) == .truncated)
        }
    }

    @Test func `what is not gzip is said so`() {
        for bytes: [UInt8] in [[0], [0x1F, 0x8C], Array("PK\u{3}\u{4}".utf8), [0, 0]] {
            #expect(Self.error(bytes) == .notGzip)
        }
    }

    @Test func `a wrong checksum, length, method or block is damage`() {
        let bytes = gzip([1, 2, 3])
        for (index, byte) in [(2, 7), (3, 0xE0), (10, 7), (11, 4), (15, 9), (18, 0), (22, 4)] {
            var bytes = bytes
            bytes[index] = UInt8(byte)
            #expect(Self.error(bytes) == .damaged, "byte \(index)")
        }
    }

    @Test func `the output has a limit`() {
        #expect(Self.error(gzip(text), limit: 70_000) == nil)
        #expect(Self.error(gzip(text), limit: 69_999) == .tooLong(limit: 69_999))
        #expect(Self.error(gzip([1, 2]) + gzip([3]), limit: 2) == .tooLong(limit: 2))
    }
}

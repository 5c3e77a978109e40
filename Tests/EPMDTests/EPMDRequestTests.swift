import TestKit
import Testing

@testable import EPMD

/// One of each request with the bytes that erl_dist_protocol gives it.
let requestTable: [(EPMDRequest, [UInt8])] = [
    (
        .alive(EPMDNodeInfo(name: "app-1", port: 0x1234)),
        [0, 18, 120, 0x12, 0x34, 72, 0, 0, 6, 0, 5, 0, 5] + Array("app-1".utf8) + [0, 0]
    ),
    (
        .alive(
            EPMDNodeInfo(
                name: "å", port: 1, type: .normal, protocolNumber: 1, highestVersion: 5,
                lowestVersion: 5, extra: [7, 8])),
        [0, 17, 120, 0, 1, 77, 1, 0, 5, 0, 5, 0, 2, 0xC3, 0xA5, 0, 2, 7, 8]
    ),
    (.portPlease(name: "a"), [0, 2, 122, 97]),
    (.names, [0, 1, 110]),
    (.dump, [0, 1, 100]),
    (.kill, [0, 1, 107]),
    (.stop(name: "a"), [0, 2, 115, 97]),
]

@Suite struct EPMDRequestTests {
    private func decode(_ bytes: [UInt8]) throws(EPMDRequestError) -> EPMDRequest? {
        var decoder = EPMDRequestDecoder()
        return try decoder.receive(bytes)
    }

    private func decode(body: [UInt8]) throws(EPMDRequestError) -> EPMDRequest? {
        try decode([UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body)
    }

    @Test(arguments: requestTable)
    func `a request has the bytes of the specification, both ways`(
        request: EPMDRequest, bytes: [UInt8]
    ) throws {
        #expect(try request.encoded() == bytes)
        #expect(try decode(bytes) == request)
    }

    @Test(arguments: requestTable)
    func `a request is decoded once whole, however it is split`(
        request: EPMDRequest, bytes: [UInt8]
    ) throws {
        for split in 1..<bytes.count {
            var decoder = EPMDRequestDecoder()
            #expect(try decoder.receive(bytes[..<split]) == nil)
            #expect(try decoder.receive(bytes[split...]) == request)
        }
        var decoder = EPMDRequestDecoder()
        for byte in bytes.dropLast() { #expect(try decoder.receive([byte]) == nil) }
        #expect(try decoder.receive(bytes.suffix(1)) == request)
    }

    @Test(arguments: requestTable.prefix(2))
    func `a registration whose fields go beyond its length is truncated`(
        request: EPMDRequest, bytes: [UInt8]
    ) {
        for count in 1..<(bytes.count - 2) {
            #expect(throws: EPMDRequestError.truncated) {
                try decode(body: Array(bytes[2..<(2 + count)]))
            }
        }
    }

    @Test func `a request after the request is refused`() {
        #expect(throws: EPMDRequestError.trailingBytes) { try decode([0, 1, 110, 0]) }
        #expect(throws: EPMDRequestError.trailingBytes) {
            try decode([0, 1, 110] + [UInt8](repeating: 0, count: 100_000))
        }
    }

    @Test func `the longest request is taken, and one byte after it is seen`() throws {
        let longest = [0x10, 0, 110] + [UInt8](repeating: 0, count: 4095)
        #expect(try decode(longest) == .names)
        #expect(throws: EPMDRequestError.trailingBytes) { try decode(longest + [0]) }
    }

    @Test func `lengths have limits`() {
        #expect(throws: EPMDRequestError.empty) { try decode([0, 0]) }
        #expect(throws: EPMDRequestError.tooLong(byteCount: 65535)) { try decode([255, 255]) }
        #expect(throws: EPMDRequestError.tooLong(byteCount: 4097)) { try decode([0x10, 1, 122]) }
        let node = EPMDNodeInfo(name: "a", port: 1, extra: [UInt8](repeating: 0, count: 1021))
        #expect(throws: EPMDRequestError.tooLong(byteCount: 1021)) {
            try EPMDRequest.alive(node).encoded()
        }
        var body: [UInt8] = [120, 0, 1, 72, 0, 0, 6, 0, 5, 0, 1, 97, 0x03, 0xFD]
        body += node.extra
        #expect(throws: EPMDRequestError.tooLong(byteCount: 1021)) { try decode(body: body) }
    }

    @Test func `an unknown code is named`() {
        #expect(throws: EPMDRequestError.unknownCode(1)) { try decode([0, 1, 1]) }
    }

    @Test(arguments: [
        [], [0], [97, 0, 0], [97, 0, 98], [0xFF], [0xC3], [10], [97, 10, 98], [127],
        [UInt8](repeating: 97, count: 256),
    ])
    func `a name EPMD cannot hold is refused`(name: [UInt8]) {
        #expect(throws: EPMDRequestError.invalidName) { try decode(body: [122] + name) }
        #expect(throws: EPMDRequestError.invalidName) { try decode(body: [115] + name) }
        let alive: [UInt8] = [120, 0, 1, 72, 0, 0, 6, 0, 5, UInt8(name.count >> 8)]
        #expect(throws: EPMDRequestError.invalidName) {
            try decode(body: alive + [UInt8(name.count & 0xFF)] + name + [0, 0])
        }
    }

    @Test(arguments: ["", "a\nname b", "a\u{0}", String(repeating: "å", count: 128)])
    func `a request with a name EPMD cannot hold is not written`(name: String) {
        for request: EPMDRequest in [
            .portPlease(name: name), .stop(name: name), .alive(EPMDNodeInfo(name: name, port: 1)),
        ] {
            #expect(throws: EPMDRequestError.invalidName) { try request.encoded() }
        }
    }

    @Test func `a name may have 255 bytes`() throws {
        let name = String(repeating: "n", count: 255)
        #expect(try decode(EPMDRequest.portPlease(name: name).encoded()) == .portPlease(name: name))
    }

    @Test func `old forms are read: a NUL after a name, bytes after a listing's code`() throws {
        #expect(try decode([0, 3, 122, 97, 0]) == .portPlease(name: "a"))
        #expect(try decode([0, 3, 110, 1, 2]) == .names)
        let (request, bytes) = requestTable[0]
        #expect(try decode(body: bytes.dropFirst(2) + [1, 2, 3]) == request)
    }

    @Test func `mutated requests never trap the decoder`() throws {
        var random = SeededRandom(seed: 42)
        for _ in 0..<20_000 {
            var bytes = requestTable.randomElement(using: &random)?.1 ?? []
            bytes.mutate(using: &random)
            var decoder = EPMDRequestDecoder()
            for chunk in bytes.chunks(using: &random) {
                guard (try? decoder.receive(chunk)) != nil else { break }
            }
        }
    }
}

extension [UInt8] {
    /// Changes, inserts, removes or repeats a few bytes.
    mutating func mutate(using random: inout SeededRandom) {
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let index = Int.random(in: 0...count, using: &random)
            let byte: UInt8? = [0, 1, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &random)]
                .randomElement(using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where index < count: self[index] = byte ?? 0
            case 1 where index < count: remove(at: index)
            case 2: removeLast(Swift.min(count, count - index))
            case 3: self += self[..<index]
            default: insert(byte ?? 0, at: index)
            }
        }
    }

    func chunks(using random: inout SeededRandom) -> [ArraySlice<UInt8>] {
        var chunks: [ArraySlice<UInt8>] = []
        var rest = self[...]
        while !rest.isEmpty {
            let size = Int.random(in: 1...rest.count, using: &random)
            chunks.append(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        return chunks
    }
}

import Testing

@testable import ExternalTermFormat

@Suite struct TermCodecTests {
    @Test func `every current tag is read and written byte by byte`() throws {
        for sample in Sample.current {
            #expect(try Term(decoding: [131] + sample.bytes) == sample.term)
            #expect(sample.term.encoded() == [131] + sample.bytes, "\(sample.term)")
        }
    }

    @Test func `every old tag and every unusual form is read`() throws {
        for sample in Sample.old {
            #expect(try Term(decoding: [131] + sample.bytes) == sample.term)
        }
    }

    @Test func `one term with everything in it comes back`() throws {
        let bytes = Sample.everything.encoded()
        #expect(try Term(decoding: bytes) == Sample.everything)
        #expect(try Term(decoding: bytes.span) == Sample.everything)
        #expect(try Term(decoding: ([0] + bytes)[1...]) == Sample.everything)
    }

    @Test func `a compressed term comes back`() throws {
        let term = Term.list((0..<1000).map { .integer($0 % 10 + 300) })
        let compressed = term.encoded(compressed: 9)
        #expect(Array(compressed.prefix(2)) == [131, 80])
        #expect(compressed.count < term.encoded().count / 10)
        #expect(try Term(decoding: compressed) == term)
    }

    @Test func `compression that gains nothing is left out`() {
        #expect(Term.atom(.ok).encoded(compressed: 9) == [131, 119, 2, 111, 107])
    }

    @Test func `terms follow each other in a frame`() throws {
        var encoder = TermEncoder()
        let length = encoder.appendLengthPlaceholder()
        encoder.bytes.append(112)
        encoder.appendVersionByte()
        encoder.append(.tuple([6, .pid(Sample.pid)]))
        encoder.appendVersionByte()
        encoder.append([1])
        encoder.patchLength(at: length)
        #expect(Array(encoder.bytes.prefix(5)) == [0, 0, 0, 29, 112])

        var decoder = TermDecoder(at: 5)
        try decoder.versionByte(encoder.bytes.span)
        #expect(try decoder.term(encoder.bytes.span) == .tuple([6, .pid(Sample.pid)]))
        #expect(encoder.bytes.count - decoder.offset == 5)
        try decoder.versionByte(encoder.bytes.span)
        #expect(try decoder.term(encoder.bytes.span) == [1])
        #expect(decoder.offset == encoder.bytes.count)
        #expect(throws: TermError.truncated) { try decoder.term(encoder.bytes.span) }
    }

    @Test func `atom cache references are looked up, also inside identifiers`() throws {
        let bytes: [UInt8] = [104, 2, 82, 1, 88, 82, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
        var decoder = TermDecoder(atoms: ["a@b", "second"])
        let pid = PID(node: "a@b", id: 1, serial: 2, creation: 3)
        #expect(try decoder.term(bytes.span) == .tuple([.atom("second"), .pid(pid)]))

        var poor = TermDecoder(atoms: ["a@b"])
        #expect(throws: TermError.unknownAtomReference(1)) { try poor.term(bytes.span) }
        #expect(throws: TermError.unknownAtomReference(0)) { try Term(decoding: [131, 82, 0]) }
    }

    @Test func `a compressed term inside a frame is read only where it is allowed`() throws {
        let bytes = Term.binary([UInt8](repeating: 1, count: 1000)).encoded(compressed: 6)
        var closed = TermDecoder(at: 1)
        #expect(throws: TermError.compressedNotAllowed) { try closed.term(bytes.span) }
        let more = bytes + [97, 1]
        var open = TermDecoder(at: 1, limits: .default)
        #expect(try open.term(more.span) == .binary([UInt8](repeating: 1, count: 1000)))
        #expect(try open.term(more.span) == 1)
    }

    @Test func `a binary that is most of the bytes is shared, and is as any other`() throws {
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        let bytes = Term.tuple([1, .binary(content), .binary(Array(content[..<20_000]))]).encoded()
        let shared = try Term(decoding: bytes)
        let copied = try Term(decoding: bytes.span)
        guard case .tuple(let elements) = shared, case .binary(let large) = elements[1],
            case .binary(let small) = elements[2]
        else {
            Issue.record("It is a tuple")
            return
        }
        let isInside = large.withUnsafeBufferPointer { large in
            bytes.withUnsafeBufferPointer { $0.baseAddress == large.baseAddress.map { $0 - 10 } }
        }
        #expect(isInside)
        // It would keep five times as much.
        guard case .bytes = small.storage else {
            Issue.record("A smaller one is copied")
            return
        }
        #expect(shared == copied && copied == shared)
        #expect(Set([shared, copied]).count == 1)
        #expect(large == Binary(content) && Binary(content) == large)
        #expect(large != Binary(content.dropLast()) && large.dropFirst().first == 1)
        #expect(large.count == 100_000 && large[99_999] == content[99_999])
        #expect([UInt8](large) == content && elements[1].asBinary == content)
        #expect(shared.encoded() == bytes)
    }

    @Test func `a term takes two words`() {
        #expect(MemoryLayout<Term>.stride == 16)
        #expect(MemoryLayout<Atom>.stride == 16)
        #expect(MemoryLayout<Term?>.stride == 16)
    }
}

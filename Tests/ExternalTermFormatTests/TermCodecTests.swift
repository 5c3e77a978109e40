import ExternalTermFormat
import Testing

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

        var decoder = TermDecoder(encoder.bytes, at: 5)
        try decoder.versionByte()
        #expect(try decoder.term() == .tuple([6, .pid(Sample.pid)]))
        #expect(decoder.remaining == 5)
        try decoder.versionByte()
        #expect(try decoder.term() == [1])
        #expect(decoder.offset == encoder.bytes.count)
        #expect(throws: TermError.truncated) { try decoder.term() }
    }

    @Test func `atom cache references are looked up, also inside identifiers`() throws {
        let bytes: [UInt8] = [104, 2, 82, 1, 88, 82, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
        var decoder = TermDecoder(bytes, atoms: ["a@b", "second"])
        let pid = PID(node: "a@b", id: 1, serial: 2, creation: 3)
        #expect(try decoder.term() == .tuple([.atom("second"), .pid(pid)]))

        var poor = TermDecoder(bytes, atoms: ["a@b"])
        #expect(throws: TermError.unknownAtomReference(1)) { try poor.term() }
        #expect(throws: TermError.unknownAtomReference(0)) { try Term(decoding: [131, 82, 0]) }
    }

    @Test func `a compressed term inside a frame is read only where it is allowed`() throws {
        let bytes = Term.binary([UInt8](repeating: 1, count: 1000)).encoded(compressed: 6)
        var closed = TermDecoder(bytes, at: 1)
        #expect(throws: TermError.compressedNotAllowed) { try closed.term() }
        var open = TermDecoder(bytes + [97, 1], at: 1, limits: .default)
        #expect(try open.term() == .binary([UInt8](repeating: 1, count: 1000)))
        #expect(try open.term() == 1)
    }

    @Test func `a term takes two words`() {
        #expect(MemoryLayout<Term>.stride == 16)
        #expect(MemoryLayout<Atom>.stride == 16)
        #expect(MemoryLayout<Term?>.stride == 16)
    }
}

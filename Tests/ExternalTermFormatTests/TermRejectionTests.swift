import ExternalTermFormat
import TestKit
import Testing

private func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
    Array(repeatElement(bytes, count: count).joined())
}

@Suite struct TermRejectionTests {
    @Test func `a truncated tuple is rejected, never trapped`() {
        #expect(throws: TermError.truncated) { try Term(decoding: [131, 104, 2, 97, 1]) }
    }

    @Test func `every prefix of a term is truncated`() {
        for sample in Sample.current + Sample.old where sample.bytes.count < 1000 {
            let bytes = [131] + sample.bytes
            for count in 0..<bytes.count {
                #expect(throws: TermError.truncated) { try Term(decoding: bytes[..<count]) }
            }
        }
    }

    @Test func `every prefix of a compressed term is rejected`() {
        let bytes = Term.list((0..<300).map { .integer($0 % 10 + 300) }).encoded(compressed: 6)
        for count in 0..<bytes.count {
            #expect(throws: TermError.self) { try Term(decoding: bytes[..<count]) }
        }
    }

    @Test func `what is not one whole term is named`() {
        let cases: [([UInt8], TermError)] = [
            ([130, 106], .unexpectedVersion(130)),
            ([131, 106, 1, 2], .trailingBytes(count: 2)),
            ([131, 117], .unexpectedTag(117)),
            ([131, 121, 0], .unexpectedTag(121)),
            ([131, 66, 0], .unexpectedTag(66)),
            ([131, 0], .unexpectedTag(0)),
            ([131, 104, 1, 131], .unexpectedTag(131)),
            // Compression is for whole terms only.
            ([131, 104, 1, 80], .unexpectedTag(80)),
            ([131, 88, 97, 1], .unexpectedTag(97)),
            ([131, 113, 119, 1, 109, 119, 1, 102, 98, 0, 0, 0, 1], .unexpectedTag(98)),
            ([131, 119, 2, 195, 40], .invalidAtom),
            ([131, 119, 3, 237, 160, 128], .invalidAtom),
            ([131, 118, 1, 0] + [UInt8](repeating: 97, count: 256), .atomTooLong(byteCount: 256)),
            ([131, 100, 1, 0] + [UInt8](repeating: 97, count: 256), .atomTooLong(byteCount: 256)),
            ([131, 70, 127, 240, 0, 0, 0, 0, 0, 0], .invalidFloat),
            ([131, 70, 127, 248, 0, 0, 0, 0, 0, 1], .invalidFloat),
            ([131, 99] + Array("inf".utf8) + [UInt8](repeating: 0, count: 28), .invalidFloat),
            ([131, 99] + Array("1e999".utf8) + [UInt8](repeating: 0, count: 26), .invalidFloat),
            ([131, 99] + [UInt8](repeating: 0, count: 31), .invalidFloat),
            ([131, 90, 0, 0] + Sample.node, .invalidReference(wordCount: 0)),
            ([131, 90, 0, 6] + Sample.node, .invalidReference(wordCount: 6)),
            ([131, 77, 0, 0, 0, 1, 9, 0], .invalidBitstring(lastBitCount: 9)),
            ([131, 77, 0, 0, 0, 1, 0, 0], .invalidBitstring(lastBitCount: 0)),
            ([131, 77, 0, 0, 0, 0, 1], .invalidBitstring(lastBitCount: 1)),
            ([131, 116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 1, 97, 2], .repeatedKey(1)),
        ]
        for (bytes, error) in cases {
            #expect(throws: error) { try Term(decoding: bytes) }
        }
    }

    @Test(arguments: [256, 70_000])
    func `an atom of too many characters cannot be made`(count: Int) throws {
        for letter in ["a", "é", "\u{1F600}"] {
            let name = String(repeating: letter, count: count)
            #expect(throws: TermError.atomTooLong(byteCount: name.utf8.count)) { try Atom(name) }
            #expect(Atom(stringLiteral: name) == (try Atom(String(repeating: letter, count: 255))))
        }
        let longest = try Atom(String(repeating: "\u{1F600}", count: 255))
        #expect(longest.utf8Count == 1020)
        #expect(try Term(decoding: Term.atom(longest).encoded()) == .atom(longest))
    }

    @Test func `a repeated key is found among many and among compound keys`() {
        for count in [2, 17, 1000] {
            var pairs = (0..<count).map {
                (key: Term.tuple([.integer($0)]), value: Term.integer(0))
            }
            #expect(throws: Never.self) { try Term(decoding: Term.map(TermMap(pairs)).encoded()) }
            pairs[count - 1].key = .tuple([0])
            #expect(throws: TermError.repeatedKey(.tuple([0]))) {
                try Term(decoding: Term.map(TermMap(pairs)).encoded())
            }
        }
    }

    @Test func `a claim of four billion elements reserves nothing`() {
        let claim: [UInt8] = [255, 255, 255, 255]
        for tag: UInt8 in [105, 108, 109, 111, 116] {
            #expect(throws: TermError.truncated) { try Term(decoding: [131, tag] + claim) }
            #expect(throws: TermError.truncated) {
                try Term(decoding: [131, tag] + claim + [UInt8](repeating: 106, count: 5000))
            }
        }
        #expect(throws: TermError.truncated) { try Term(decoding: [131, 77] + claim + [1, 0]) }
        let fun = [131, 112] + claim + [UInt8](repeating: 0, count: 21) + claim
        #expect(throws: TermError.truncated) { try Term(decoding: fun) }
    }

    @Test func `keys of keys of keys are not hashed again and again`() {
        func nested(_ content: [UInt8]) -> [UInt8] {
            repeated([116, 0, 0, 0, 2, 97, 1, 97, 1], 100) + content + repeated([97, 1], 100)
        }
        let small = [131] + nested([109, 0, 0, 1, 0] + [UInt8](repeating: 7, count: 256))
        #expect(throws: Never.self) { try Term(decoding: small) }
        let large = [131] + nested([109, 0, 16, 0, 0] + [UInt8](repeating: 7, count: 1 << 20))
        #expect(throws: TermError.keysTooComplex) { try Term(decoding: large) }
        // One level, as real maps have it, whatever the size of the keys.
        var flat: [UInt8] = [131, 116, 0, 0, 0, 4]
        for number: UInt8 in 0..<4 {
            flat += [109, 0, 16, 0, 0] + [UInt8](repeating: number, count: 1 << 20) + [97, 1]
        }
        #expect(throws: Never.self) { try Term(decoding: flat) }
    }

    @Test func `nested claims cannot share the bytes that justify them`() {
        // Each of the 200 lists claims all the bytes that are left; only the first could have them.
        let byteCount = 100_000
        var bytes: [UInt8] = [131]
        for _ in 0..<200 {
            let left = UInt32(byteCount - bytes.count - 10)
            bytes += [108, 0, UInt8(left >> 16), UInt8(left >> 8 & 255), UInt8(left & 255)]
        }
        bytes += [UInt8](repeating: 106, count: byteCount - bytes.count)
        #expect(throws: TermError.truncated) { try Term(decoding: bytes) }
    }

    @Test func `a bomb of depth is stopped at the limit`() {
        let lists = [131] + repeated([108, 0, 0, 0, 1], 100_000)
        #expect(throws: TermError.tooDeep(maximum: 128)) { try Term(decoding: lists) }
        let tuples =
            [131] + repeated([104, 1], 100_000)
        #expect(throws: TermError.tooDeep(maximum: 128)) { try Term(decoding: tuples) }
        let maps = [131] + repeated([116, 0, 0, 0, 1], 100_000)
        #expect(throws: TermError.tooDeep(maximum: 128)) { try Term(decoding: maps) }
        #expect(throws: TermError.tooDeep(maximum: 1)) {
            try Term(decoding: ([[[]]] as Term).encoded(), limits: DecodingLimits(maximumDepth: 1))
        }
    }

    @Test func `a chain of tails is one list, in linear time and without depth`() throws {
        let count = 100_000
        let bytes =
            [131] + repeated([108, 0, 0, 0, 1, 97, 1], count) + [106]
        #expect(try Term(decoding: bytes) == .list([Term](repeating: 1, count: count)))
    }

    @Test func `a bomb of terms is stopped at the limit`() throws {
        let limits = DecodingLimits(maximumTerms: 10)
        let error = TermError.tooManyTerms(maximum: 10)
        let nine = Term.list([Term](repeating: [], count: 8))
        #expect(try Term(decoding: nine.encoded(), limits: limits) == nine)
        for term: Term in [
            .list([Term](repeating: [], count: 10)), .charlist("more than ten"),
            .tuple([Term](repeating: .tuple([1]), count: 5)),
            .map(TermMap((0..<5).map { (key: .integer($0), value: [300]) })),
        ] {
            #expect(throws: error) { try Term(decoding: term.encoded(), limits: limits) }
        }
    }

    @Test func `a compressed bomb is stopped before it goes off`() {
        let bomb = Term.binary([UInt8](repeating: 0, count: 1_000_000)).encoded(compressed: 9)
        let limits = DecodingLimits(maximumByteCount: 999_999)
        #expect(throws: TermError.tooLong(byteCount: 1_000_005, maximum: 999_999)) {
            try Term(decoding: bomb, limits: limits)
        }
        #expect(throws: TermError.compressedNotAllowed) {
            try Term(decoding: bomb, limits: .distribution)
        }
        // No stream of 8 bytes inflates to 64 MB.
        #expect(throws: TermError.truncated) {
            try Term(decoding: [131, 80, 4, 0, 0, 0] + [120, 156, 0, 0, 0, 0, 0, 0])
        }
    }

    @Test func `a compressed term that lies about its size is rejected`() {
        var bytes = Term.binary([UInt8](repeating: 0, count: 1000)).encoded(compressed: 9)
        let count = 1005
        for promised in [0, 1, count - 1, count + 1] {
            (bytes[4], bytes[5]) = (UInt8(promised >> 8), UInt8(promised & 255))
            let found = promised == 0 ? 0 : min(promised + 1, count)
            #expect(
                throws: TermError.unexpectedInflatedSize(promised: promised, found: found)
            ) { try Term(decoding: bytes) }
        }
        (bytes[4], bytes[5]) = (UInt8(count >> 8), UInt8(count & 255))
        #expect(throws: TermError.trailingBytes(count: 1)) { try Term(decoding: bytes + [0]) }
        bytes[8] ^= 0xFF
        #expect(throws: TermError.invalidCompression) { try Term(decoding: bytes) }
    }

    @Test func `a compressed term holds one whole plain term`() {
        // Two nils in a stored block, and their checksum.
        let nils: [UInt8] = [120, 1, 1, 2, 0, 253, 255, 106, 106, 1, 64, 0, 213]
        #expect(throws: TermError.trailingBytes(count: 1)) {
            try Term(decoding: [131, 80, 0, 0, 0, 2] + nils)
        }
        #expect(throws: TermError.invalidCompression) {
            try Term(decoding: [131, 80, 0, 0, 0, 2, 1, 2, 3, 4])
        }
    }

    @Test func `a hundred thousand mutations never trap, and what is accepted comes back`() {
        var random = SeededRandom(seed: 42)
        let originals =
            [Sample.everything.encoded(), Sample.everything.encoded(compressed: 6)]
            + (Sample.current + Sample.old).filter { $0.bytes.count < 1000 }.map {
                [131] + $0.bytes
            }
        for _ in 0..<100_000 {
            var bytes = originals[random.below(originals.count)]
            for _ in 0...random.below(3) {
                let position = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[position] = UInt8(random.below(256))
                case 1: bytes[position] ^= 1 << UInt8(random.below(8))
                case 2: bytes.insert(UInt8(random.below(256)), at: position)
                default: if bytes.count > 1 { bytes.remove(at: position) }
                }
            }
            guard let term = try? Term(decoding: bytes) else { continue }
            if (try? Term(decoding: term.encoded())) != term {
                Issue.record("\(bytes) is \(term)")
            }
        }
    }
}

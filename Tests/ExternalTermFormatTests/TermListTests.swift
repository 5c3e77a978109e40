import Testing

@testable import ExternalTermFormat

/// Lists of integers are kept as numbers when they are decoded. Nothing but the time shows it.
@Suite struct TermListTests {
    /// One element of a list, and its bytes.
    private static let elements: [Sample] = [
        Sample([97, 0], 0),
        Sample([97, 255], 255),
        Sample([98, 0, 0, 1, 0], 256),
        Sample([98, 128, 0, 0, 0], .integer(-2_147_483_648)),
        Sample([110, 4, 0, 0, 0, 0, 128], .integer(2_147_483_648)),
        Sample([119, 1, 97], .atom("a")),
        Sample([106], []),
        Sample([107, 0, 1, 97], .list([97])),
        Sample([108, 0, 0, 0, 1, 98, 0, 0, 1, 0, 106], .list([256])),
    ]

    private static func bytes(_ elements: [Sample], tail: [UInt8] = [106]) -> [UInt8] {
        [131, 108, 0, 0, 0, UInt8(elements.count)] + elements.flatMap(\.bytes) + tail
    }

    @Test func `any element may stand anywhere among integers`() throws {
        for count in 1...12 {
            for place in 0..<count {
                for element in Self.elements {
                    for filler in Self.elements.prefix(3) {
                        var samples = [Sample](repeating: filler, count: count)
                        samples[place] = element
                        let terms = samples.map(\.term)
                        let decoded = try Term(decoding: Self.bytes(samples))
                        #expect(decoded == .list(terms))
                        #expect(decoded.asList == terms)
                        #expect(decoded.encoded() == Term.list(terms).encoded())
                        let improper = try Term(decoding: Self.bytes(samples, tail: [97, 9]))
                        #expect(improper == .improperList(terms, 9))
                        let joined = try Term(
                            decoding: Self.bytes(samples, tail: [108, 0, 0, 0, 1, 97, 9, 106]))
                        #expect(joined == .list(terms + [9]))
                    }
                }
            }
        }
    }

    @Test func `a tail and what follows are no elements, however much they look like some`() throws
    {
        for count in 1...12 {
            let integers = [Sample](repeating: Self.elements[1], count: count)
            let terms = integers.map(\.term)
            for followers in 0...3 {
                // The tail is an integer; then come integers of the tuple, and a nil.
                let bytes =
                    [131, 104, UInt8(followers + 2)]
                    + Self.bytes(integers, tail: [97, 9]).dropFirst()
                    + [UInt8](repeatElement([97, 8], count: followers).joined()) + [106]
                let expected: [Term] =
                    [.improperList(terms, 9)] + [Term](repeating: 8, count: followers) + [[]]
                #expect(try Term(decoding: bytes) == .tuple(expected))
            }
        }
    }

    @Test func `a list of integers is kept as numbers, any other is not`() throws {
        func isKeptAsNumbers(_ bytes: [UInt8]) throws -> Bool {
            guard case .list(let list) = try Term(decoding: bytes) else { return false }
            if case .integers = list.storage { return true } else { return false }
        }
        #expect(try isKeptAsNumbers([131, 107, 0, 2, 104, 105]))
        #expect(try isKeptAsNumbers(Self.bytes(Array(Self.elements[..<4]))))
        #expect(try isKeptAsNumbers(Self.bytes([Sample](repeating: Self.elements[1], count: 9))))
        #expect(try !isKeptAsNumbers(Self.bytes(Array(Self.elements[..<5]))))
        #expect(try !isKeptAsNumbers(Self.bytes([Self.elements[0], Self.elements[5]])))
    }

    @Test func `every prefix of a list of integers is truncated`() {
        for filler in Self.elements.prefix(4) {
            for count in 1...9 {
                let bytes = Self.bytes([Sample](repeating: filler, count: count))
                for length in 0..<bytes.count {
                    #expect(throws: TermError.truncated) { try Term(decoding: bytes[..<length]) }
                }
            }
        }
    }

    @Test func `integers count towards the limits like other terms`() throws {
        for count in [1, 4, 7, 8, 9] {
            for element in Self.elements.prefix(3) {
                let bytes = Self.bytes([Sample](repeating: element, count: count))
                let enough = DecodingLimits(maximumDepth: 1, maximumTerms: count + 1)
                #expect(throws: Never.self) { try Term(decoding: bytes, limits: enough) }
                let tooFew = DecodingLimits(maximumTerms: count)
                #expect(throws: TermError.tooManyTerms(maximum: count)) {
                    try Term(decoding: bytes, limits: tooFew)
                }
                let tooFlat = DecodingLimits(maximumDepth: 0)
                #expect(throws: TermError.tooDeep(maximum: 0)) {
                    try Term(decoding: bytes, limits: tooFlat)
                }
            }
        }
    }

    @Test func `integers in several lists spend one budget`() throws {
        let list: [UInt8] = [108, 0, 0, 0, 2, 97, 1, 97, 2, 106]
        let bytes = [131, 104, 2] + list + list
        #expect(throws: Never.self) {
            try Term(decoding: bytes, limits: DecodingLimits(maximumTerms: 7))
        }
        #expect(throws: TermError.tooManyTerms(maximum: 6)) {
            try Term(decoding: bytes, limits: DecodingLimits(maximumTerms: 6))
        }
    }

    @Test func `a list cannot claim the bytes that terms around it wait for`() {
        // Ten bytes are left, of which nine terms of the tuple need one each.
        let bytes: [UInt8] = [131, 104, 10, 108, 0, 0, 0, 4, 97, 1, 97, 1, 97, 1, 97, 1, 106, 106]
        #expect(throws: TermError.truncated) { try Term(decoding: bytes) }
    }

    @Test func `both ways to keep a list are equal and have one hash`() {
        let values = [[], [1], [1, 2, 3], [0, -1, 256, .min, .max]]
        for left in values {
            for right in values {
                let terms = Term.list(left.map { .integer($0) })
                let numbers = Term.list(TermList(integers: right))
                #expect((terms == numbers) == (left == right))
                #expect((numbers == terms) == (left == right))
                #expect((numbers == .list(TermList(integers: left))) == (left == right))
                #expect((terms.hashValue == numbers.hashValue) == (left == right))
            }
        }
        #expect(Term.list(TermList(integers: [1])) != [1.0])
        #expect(Term.list(TermList(integers: [1])) != .tuple([1]))
        #expect(TermMap([(key: .charlist("key"), value: 1)])[.list([107, 101, 121])] == 1)
    }

    @Test func `both ways to keep a list are used alike`() {
        let numbers = TermList(integers: [104, 105])
        let terms = TermList([104, 105])
        for list in [numbers, terms] {
            #expect(Array(list) == [104, 105])
            #expect(list.first == 104)
            #expect(list[1] == 105)
            #expect(Term.list(list).asText == "hi")
            #expect(Term.list(list).asBytes == [104, 105])
            #expect(Term.list(list).description == "\"hi\"")
            #expect(
                Term.list(list, tail: 1).encoded() == Term.improperList([104, 105], 1).encoded())
            #expect(Term.list([0], tail: .list(list)) == [0, 104, 105])
        }
    }
}

extension Term {
    fileprivate static func list(_ list: TermList, tail: Term) -> Term {
        .list([Term](list), tail: tail)
    }
}

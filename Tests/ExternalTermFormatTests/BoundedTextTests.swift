import ExternalTermFormat
import Glibc
import Testing

/// Text of terms that others have sent: no more is made, or looked at, than is wanted.
@Suite struct BoundedTextTests {
    private static let terms: [Term] = [
        .binary("plain text that is longer than the limits below"),
        .charlist("a list of characters"),
        .binary("öäü→𝄞 and more"), .charlist("öäü→𝄞 and more"),
        .binary([UInt8](repeating: 200, count: 40)), .binary([UInt8](repeating: 3, count: 40)),
        .list([1, 2, 3, .binary("x"), .atom("y")]), .list((0..<50).map { .integer($0) }),
        .tuple([.charlist("abc"), .binary("def"), .float(1.5)]),
        .map(TermMap([(key: .atom("key"), value: .binary("value that is long"))])),
        .list([97, [.binary("öö"), 0xF6, 0x1D11E], .binary("c")]),
    ]

    @Test(arguments: terms)
    func `bounded text is the beginning of the whole`(term: Term) {
        let whole = Array(term.description.utf8)
        for limit in 0..<(whole.count + 3) {
            let text = Array(term.erlangText(maximumByteCount: limit).utf8)
            if whole.count <= limit {
                #expect(text == whole)
            } else {
                #expect(text.suffix(3) == Array("...".utf8))
                #expect(whole.starts(with: text.dropLast(3)), "\(limit)")
                #expect(text.count - 3 <= limit && text.count - 3 > limit - 4)
            }
        }
    }

    @Test(arguments: terms)
    func `the beginning of character data is that of the whole`(term: Term) {
        guard let whole = term.asText else { return }
        for limit in 0..<(whole.utf8.count + 3) {
            let text = term.text(upTo: limit)
            let count = text?.utf8.count ?? -1
            #expect(text.map { whole.utf8.starts(with: $0.utf8) } == true)
            #expect(count <= limit && count > min(limit, whole.utf8.count) - 4)
            #expect(
                term.shortText(maximumByteCount: limit)
                    == (whole.utf8.count <= limit ? whole : nil))
        }
    }

    @Test func `the beginning of iodata is that of the whole`() {
        let data: Term = [1, [.binary([2, 3]), 4], .binary([5])]
        for limit in 0...6 {
            #expect(data.bytes(upTo: limit) == Array([1, 2, 3, 4, 5].prefix(limit)))
        }
        #expect(Term.list([.atom("x")]).bytes(upTo: 9) == nil)
        #expect(Term.atom("x").text(upTo: 9) == nil)
    }

    @Test func `a term of many megabytes is shown as fast as a short one`() {
        let large = 16 << 20
        let terms: [Term] = [
            .binary([UInt8](repeating: 97, count: large)),
            .binary([UInt8](repeating: 200, count: large)),
            .binary([UInt8](repeating: 0, count: large)),
            .list(TermList(integers: [Int](repeating: 97, count: 4_000_000))),
            Term(
                BigInteger(
                    isNegative: true, littleEndianMagnitude: [UInt8](repeating: 255, count: large))
            ),
        ]
        for term in terms {
            let start = Self.threadTime
            #expect(term.brief.utf8.count < 220)
            #expect(term.shortText(maximumByteCount: 100) == nil)
            #expect((term.text(upTo: 100)?.utf8.count ?? 0) <= 100)
            #expect(Self.threadTime - start < .milliseconds(250), "\(term.brief)")
        }
    }

    @Test func `zeros at the top of a large integer cost nothing worth mentioning`() throws {
        let bytes: [UInt8] = [131, 111, 0, 224, 0, 0, 0] + [UInt8](repeating: 0, count: 14 << 20)
        let start = Self.threadTime
        #expect(try Term(decoding: bytes) == 0)
        #expect(Self.threadTime - start < .seconds(3))
    }

    private static var threadTime: Duration {
        var value = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &value)
        return .seconds(value.tv_sec) + .nanoseconds(value.tv_nsec)
    }
}

/// What a message of another node may consist of.
@Suite struct DistributionLimitsTests {
    private func decode(_ element: [UInt8], _ count: Int) throws -> Term {
        var bytes: [UInt8] = [131, 108]
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        for _ in 0..<count { bytes += element }
        return try Term(decoding: bytes + [106], limits: .distribution)
    }

    @Test func `terms count, those that take longer more and integers in a row less`() throws {
        let most = DecodingLimits.distribution.maximumTerms
        for (element, count) in [
            ([106], most - 1), ([97, 1], (most - 1) * 8),
            ([110, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], most / 2 - 1),
            ([119, 40] + [UInt8](repeating: 97, count: 40), most / 2 - 1),
        ] as [([UInt8], Int)] {
            _ = try decode(element, count)
            #expect(throws: TermError.tooManyTerms(maximum: most)) {
                try decode(element, count + 2)
            }
        }
    }
}

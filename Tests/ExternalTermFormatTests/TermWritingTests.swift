import ExternalTermFormat
import Testing

/// What is written into memory of a counted size: every kind of term in every place.
@Suite struct TermWritingTests {
    private static let samples = Sample.current.filter { $0.bytes.count < 1000 }

    @Test func `every term is written in every container`() {
        for sample in Self.samples {
            let (bytes, term) = (sample.bytes, sample.term)
            let fun = Fun(
                arity: 0, uniq: Array(0..<16), index: 0, module: "m", oldIndex: 0, oldUniq: 0,
                pid: Sample.pid, freeVariables: [term, term])
            let head: [UInt8] =
                [0] + Array(0..<16) + [0, 0, 0, 0, 0, 0, 0, 2, 119, 1, 109, 97, 0, 97, 0, 88]
                + Sample.node + [1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9]
            let size = 4 + head.count + 2 * bytes.count
            let cases: [(Term, [UInt8])] = [
                (.tuple([term, term]), [104, 2] + bytes + bytes),
                (.list([.atom("a"), term]), [108, 0, 0, 0, 2, 119, 1, 97] + bytes + [106]),
                (.map([.atom("a"): term]), [116, 0, 0, 0, 1, 119, 1, 97] + bytes),
                (.map(TermMap([(key: term, value: 1)])), [116, 0, 0, 0, 1] + bytes + [97, 1]),
                (.improperList([term], 1), [108, 0, 0, 0, 1] + bytes + [97, 1]),
                (
                    .fun(fun),
                    [112, 0, 0, UInt8(size >> 8), UInt8(size & 255)] + head + bytes + bytes
                ),
            ]
            for (container, expected) in cases {
                #expect(container.encoded() == [131] + expected, "\(container)")
            }
        }
    }

    @Test func `what has been decoded is written as it came`() throws {
        for sample in Sample.current {
            #expect(try Term(decoding: [131] + sample.bytes).encoded() == [131] + sample.bytes)
        }
    }

    @Test func `terms are appended after any number of bytes`() {
        for count in 0..<80 {
            for sample in Self.samples {
                var encoder = TermEncoder([UInt8](repeating: 7, count: count))
                encoder.append(sample.term)
                encoder.append(.atom(.ok))
                let expected =
                    [UInt8](repeating: 7, count: count) + sample.bytes + [119, 2, 111, 107]
                #expect(encoder.bytes == expected)
            }
        }
    }

    @Test func `an integer takes the shortest form, whatever it stands in`() throws {
        var values: [Int] = [0, -1, .min, .max]
        for shift in 1..<63 {
            values += [1 << shift, (1 << shift) - 1, -(1 << shift), -(1 << shift) - 1]
        }
        for value in values {
            let bytes = Self.bytes(of: value)
            #expect(Term.integer(value).encoded() == [131] + bytes)
            // Not a string, because of the 256.
            let expected = [131, 108, 0, 0, 0, 2] + bytes + [98, 0, 0, 1, 0, 106]
            #expect(Term.list([.integer(value), 256]).encoded() == expected)
            #expect(Term.list(TermList(integers: [value, 256])).encoded() == expected)
            #expect(try Term(decoding: expected) == .list([.integer(value), 256]))
        }
    }

    private static func bytes(of value: Int) -> [UInt8] {
        if let small = UInt8(exactly: value) { return [97, small] }
        if let word = Int32(exactly: value) {
            return [98] + (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * Int32($0))) }
        }
        var magnitude = BigInteger(value).littleEndianMagnitude
        magnitude.insert(value < 0 ? 1 : 0, at: 0)
        return [110, UInt8(magnitude.count - 1)] + magnitude
    }

    @Test func `integers are a string up to 65535 of them, and only bytes are`() {
        for (count, last, isString) in [
            (65535, 255, true), (65536, 255, false), (65535, 256, false), (1, -1, false),
            (1, .min, false), (1, 0, true),
        ] {
            let integers = [Int](repeating: 9, count: count - 1) + [last]
            let terms = Term.list(integers.map { .integer($0) }).encoded()
            #expect(terms[1] == (isString ? 107 : 108))
            #expect(Term.list(TermList(integers: integers)).encoded() == terms)
        }
    }

    @Test func `the pairs of a map are kept in order, and can be changed`() {
        var map: TermMap = [1: 2]
        map.pairs.append((key: .atom("a"), value: 3))
        map.pairs[0].value = 4
        #expect(map.count == 2)
        #expect(map.pairs.map(\.key) == [1, .atom("a")])
        #expect(map.pairs.map(\.value) == [4, 3])
        #expect(
            Term.map(map).encoded() == [131, 116, 0, 0, 0, 2, 97, 1, 97, 4, 119, 1, 97, 97, 3])
        #expect(TermMap().isEmpty)
        #expect(TermMap().pairs.isEmpty)
    }
}

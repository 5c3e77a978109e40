import ExternalTermFormat
import Testing

@Suite struct TextWriterTests {
    @Test(
        arguments: [
            (.atom("a"), "a"), (.atom("A"), "'A'"), (.atom(""), "''"), (.atom("a b"), "'a b'"),
            (.atom("é"), "é"), (.atom("aΩ"), "'aΩ'"), (.atom("_a"), "'_a'"), (.atom("a@b"), "a@b"),
            (.atom("after"), "'after'"), (.atom("else"), "'else'"), (.atom("maybe"), "'maybe'"),
            (.atom("it's"), #"'it\'s'"#), (.atom("a\u{85}"), #"'a\205'"#),
            (.atom("\u{7F}"), #"'\d'"#),
            (1, "1"), (-1, "-1"), (Term(UInt64.max), "18446744073709551615"),
            ([], "[]"), ([1, 2], "[1,2]"), (.charlist("abc"), #""abc""#), (.charlist("Ω"), #""Ω""#),
            (.charlist("a\"\n\\\u{1B}"), #""a\"\n\\\e""#), ([127], "[127]"), ([128], "[128]"),
            ([0xFFFE], "[65534]"), ([97, -1], "[97,-1]"), (.improperList([97], 98), "[97|98]"),
            (.tuple([]), "{}"), (.tuple([1, [.atom("a")]]), "{1,[a]}"),
            (.map([:]), "#{}"), (.map([.atom("b"): 1, .atom("a"): []]), "#{b => 1,a => []}"),
            (.binary([]), "<<>>"), (.binary("abc"), #"<<"abc">>"#),
            (.binary("ä"), #"<<"ä"/utf8>>"#),
            (.binary([228]), #"<<"ä">>"#), (.binary([0, 255]), "<<0,255>>"),
            (.binary([195, 164, 228]), "<<\"\u{C3}\u{A4}\u{E4}\">>"),
            (.bitstring(Bitstring(bytes: [1, 32], lastBitCount: 4)), "<<1,2:4>>"),
            (.bitstring(Bitstring(bytes: [128], lastBitCount: 1)), "<<1:1>>"),
            (.pid(PID(node: "a@host", id: 45, serial: 0, creation: 1)), "<a@host.45.0>"),
            (.port(Port(node: "a@host", id: 5, creation: 1)), "#Port<a@host.5>"),
            (
                .reference(Reference(node: "a@host", creation: 1, words: [3, 2, 1])),
                "#Ref<a@host.1.2.3>"
            ),
            (.export(Export(module: "lists", function: "A b", arity: 2)), "fun lists:'A b'/2"),
            (
                .record(Record(module: "rec", name: "P", keys: ["x", "y"], values: [1, [2]])),
                "#rec:'P'{x = 1,y = [2]}"
            ),
            (.fun(Sample.fun), "#Fun<m.3.70000>"),
        ] as [(Term, String)])
    func `terms are written as Erlang prints them`(term: Term, text: String) {
        #expect(term.description == text)
    }

    @Test(
        arguments: [
            (1, "1.0"), (1e5, "1.0e5"), (123456, "123456.0"), (12000, "1.2e4"), (1e10, "1.0e10"),
            (123_456_789_012, "123456789012.0"), (0.1, "0.1"), (0.001, "0.001"), (0.0001, "0.0001"),
            (0.00012, "1.2e-4"), (1e-5, "1.0e-5"), (1e22, "1.0e22"), (12345.678, "12345.678"),
            (9_007_199_254_740_991, "9007199254740991.0"),
            (9_007_199_254_740_992, "9.007199254740992e15"),
            (123_456_789_012_345_680, "1.2345678901234568e17"), (0, "0.0"), (-0.0, "-0.0"),
            (-1.5, "-1.5"),
            (.leastNonzeroMagnitude, "5.0e-324"),
            (1.7976931348623157e308, "1.7976931348623157e308"),
        ] as [(Double, String)])
    func `floats are written in the fewest digits, as by OTP 25`(value: Double, text: String) {
        #expect(Term.float(value).description == text)
    }

    @Test func `a text stops at its limit, at a whole character`() {
        let term = Term.list([Term](repeating: .tuple([.atom("abc")]), count: 1_000_000))
        #expect(term.erlangText(maximumByteCount: 14) == "[{abc},{abc},{...")
        #expect(Term.charlist("ΩΩΩ").erlangText(maximumByteCount: 4) == "\"Ω...")
        #expect(Term.atom("abc").erlangText(maximumByteCount: 3) == "abc")
        #expect(
            Term.binary([UInt8](repeating: 0, count: 9999)).erlangText(maximumByteCount: 6)
                == "<<0,0,...")
    }

    @Test func `the parts of terms describe themselves`() {
        #expect(Atom("A").description == "'A'")
        #expect("\(Sample.pid)" == "<a@b.16909060.5>")
        #expect(TermMap([(key: 1, value: 2)]).description == "#{1 => 2}")
    }
}

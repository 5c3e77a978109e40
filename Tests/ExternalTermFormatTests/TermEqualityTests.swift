import ExternalTermFormat
import Testing

@Suite struct TermEqualityTests {
    @Test func `integers and floats are different terms`() {
        #expect(Term.integer(1) != .float(1.0))
        #expect(Term.float(0.0) != .float(-0.0))
        #expect(Set<Term>([1, 1.0, .atom("1"), .binary("1"), [1], .tuple([1])]).count == 6)
    }

    @Test func `the empty tuple, list, map and binary are different terms`() {
        #expect(Set<Term>([.tuple([]), [], .map([:]), .binary("")]).count == 4)
    }

    @Test func `integers have one form`() {
        #expect(Term(BigInteger(5)) == 5)
        #expect(Term(Int64.min) == .integer(.min))
        #expect(Term(UInt64(Int64.max)) == .integer(.max))
        #expect(Term(UInt64(Int64.max) + 1).asInteger == nil)
        #expect(Term(UInt64.max).asUInt64 == .max)
    }

    @Test func `lists have one form`() {
        #expect(Term.list([1], tail: [2]) == [1, 2])
        #expect(Term.list([1], tail: .improperList([2], 3)) == .improperList([1, 2], 3))
        #expect(Term.list([], tail: 3) == 3)
        #expect(Term.list([1], tail: 3) == .improperList([1], 3))
    }

    @Test func `atoms are equal by their code points, not by their looks`() {
        let (composed, decomposed) = (Atom("\u{E9}"), Atom("e\u{301}"))
        #expect(composed.name == decomposed.name)
        #expect(composed != decomposed)
        let long = String(repeating: "x", count: 15)
        #expect(Atom(shortEnough: long + "\u{E9}") != Atom(shortEnough: long + "e\u{301}"))
    }

    @Test func `an atom keeps its name whatever its length`() {
        for count in 0..<40 {
            let name = String((0..<count).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
            let atom = Atom(shortEnough: name)
            #expect(atom.name == name)
            #expect(atom.utf8 == Array(name.utf8))
            #expect(atom.utf8Count == count)
            #expect(atom == Atom(shortEnough: name))
            #expect(atom != Atom(shortEnough: name + "\0"))
            #expect(Atom(shortEnough: name + "\0").name == name + "\0")
        }
    }

    @Test func `the order of a map's pairs does not matter`() {
        let keys: [Term] = [1, 1.0, .atom("a"), .tuple([1]), [.map([1: 2])], .binary("b")]
        let pairs = keys.enumerated().map { (key: $1, value: Term.integer($0)) }
        let map = TermMap(pairs)
        #expect(map == TermMap(pairs.reversed()))
        #expect(map.hashValue == TermMap(pairs.reversed()).hashValue)
        #expect(Term.map(map) == .map(TermMap(pairs.reversed())))

        for index in pairs.indices {
            var (otherKey, otherValue) = (pairs, pairs)
            otherKey[index].key = .atom("other")
            otherValue[index].value = .atom("other")
            #expect(map != TermMap(otherKey))
            #expect(map != TermMap(otherValue))
            #expect(map != TermMap(Array(pairs[..<index] + pairs[(index + 1)...])))
            #expect(map[pairs[index].key] == .integer(index))
        }
        #expect(map[.atom("none")] == nil)
        #expect(map[Atom("a")] == 2)
    }

    @Test(.timeLimit(.minutes(1)))
    func `large maps in opposite orders are compared quickly`() {
        let pairs = (0..<100_000).map { (key: Term.tuple([.integer($0)]), value: Term.integer($0)) }
        #expect(TermMap(pairs) == TermMap(pairs.reversed()))
    }

    @Test(.timeLimit(.minutes(1)))
    func `maps as keys of maps do not multiply the work`() {
        func nest(_ depth: Int, _ seed: Int, reversed: Bool) -> Term {
            var term = Term.integer(seed)
            for level in 0..<depth {
                var pairs: [(key: Term, value: Term)] = [
                    (key: term, value: 1), (key: .integer(level), value: 2),
                    (key: .tuple([term]), value: 3),
                ]
                if reversed { pairs.reverse() }
                term = .map(TermMap(pairs))
            }
            return term
        }
        #expect(nest(11, 1, reversed: false) == nest(11, 1, reversed: true))
        #expect(nest(11, 1, reversed: false) != nest(11, 2, reversed: true))
    }

    @Test func `a reference keeps its words and only them`() {
        for count in Reference.wordCounts {
            let words = (0..<count).map { UInt32($0 + 1) }
            let reference = Reference(node: "a@b", creation: 1, words: words)
            #expect(reference.words == words)
            if count < 5 {
                #expect(reference != Reference(node: "a@b", creation: 1, words: words + [0]))
            }
        }
    }

    @Test func `text is read from binaries, charlists and what is nested of both`() {
        #expect(Term.binary("grün").asText == "grün")
        #expect(Term.charlist("grün Ω").asText == "grün Ω")
        #expect(
            Term.list([.binary("a"), [98, .binary("c")], 100], tail: .binary("Ω")).asText == "abcdΩ"
        )
        #expect(Term.list([]).asText == "")
        #expect(Term.binary([255]).asText == nil)
        #expect(Term.atom("a").asText == nil)
        #expect(Term.list([1], tail: 2).asText == nil)
        #expect(Term.list([.integer(0xD800)]).asText == nil)
        #expect(Term.list([1, .binary([255]), [2]]).asBytes == [1, 255, 2])
        #expect(Term.list([256]).asBytes == nil)
    }
}

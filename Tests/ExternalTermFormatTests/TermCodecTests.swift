import ExternalTermFormat
import Testing

@Suite struct TermCodecTests {
    @Test func `a truncated tuple is rejected, never trapped`() {
        #expect(throws: TermError.truncated) { try Term(decoding: [131, 104, 2, 97, 1]) }
    }

    @Test func `a term of every shape comes back`() throws {
        let pid = PID(node: "a@b", id: 1, serial: 2, creation: 3)
        let term: Term = .tuple([
            1, -1, 1.5, [1, 2], [1, 300], .list([.atom("a")], tail: 3), .binary("text"),
            .charlist("x"),
            .map([.atom("k"): .tuple([])]), .pid(pid), .atom("a_rather_long_atom_name"), .atom(""),
            .port(Port(node: "a@b", id: 1, creation: 2)), Term(UInt64.max),
            .reference(Reference(node: "a@b", creation: 1, words: [1, 2, 3])),
            .export(Export(module: "lists", function: "map", arity: 2)),
            .bitstring(Bitstring(bytes: [255], lastBitCount: 3)),
            .fun(
                Fun(
                    arity: 1, uniq: Array(0..<16), index: 1, module: "m", oldIndex: 1,
                    oldUniq: 70000,
                    pid: pid, freeVariables: [1])),
        ])
        #expect(try Term(decoding: term.encoded()) == term)
        #expect(try Term(decoding: term.encoded(compressed: 6)) == term)
        print(MemoryLayout<Term>.size, MemoryLayout<Term>.stride)
    }
}

import ExternalTermFormat
import Testing
import Transport

@testable import ErlDist

@Suite struct SentAtomCacheTests {
    private static let flags: DistributionFlags = [.standard, .headerAtomCache]
    private let pid = PID(node: "a@h", id: 1, serial: 0, creation: 7)

    private func message(_ payload: Term) -> ControlMessage {
        .send(from: pid, to: pid, message: payload, token: nil)
    }

    private func decode(_ frames: [UInt8], _ decoder: inout MessageDecoder) throws
        -> ControlMessage?
    {
        var splitter = FrameDecoder(maximumByteCount: 128 << 20)
        var message: ControlMessage?
        for frame in try splitter.frames(in: frames) {
            message = try decoder.decode(frame, now: .now)
        }
        return message
    }

    @Test func `an atom is told once and is two bytes from then on`() {
        var cache = SentAtomCache()
        // 119 is a small UTF-8 atom, 82 a reference.
        let content: [UInt8] = [104, 2, 119, 2, 111, 107, 119, 2, 111, 107]
        let first = cache.replaceAtoms(in: content, controlByteCount: 10)
        #expect(first.content == [104, 2, 82, 0, 82, 0])
        #expect(first.controlByteCount == 6)
        let slot = first.references[2]
        let segment = first.references[1] & 7
        #expect(first.references == [1, 8 | segment, slot, 2, 111, 107])
        let second = cache.replaceAtoms(in: content, controlByteCount: 10)
        #expect(second.content == [104, 2, 82, 0, 82, 0])
        #expect(second.references == [1, segment, slot])
        cache.removeAll()
        #expect(cache.replaceAtoms(in: content, controlByteCount: 10) == first)
        #expect(cache.replaceAtoms(in: [97, 1], controlByteCount: 2).references == [0])
    }

    @Test func `every term survives the way through the cache, small or in fragments`() throws {
        let reference = Reference(node: "b@h", creation: 1, words: [1, 2, 3])
        let fun = Export(module: "lists", function: "map", arity: 2)
        let term = Term.tuple([
            1, -1, 3000, Term(UInt64.max), 2.5, .atom("ok"), .binary("text"), [1, 2, 3],
            [.atom("ok"), 1000], .list([1000], tail: .atom("tail")), .map([.atom("k"): .pid(pid)]),
            .reference(reference), .export(fun), .port(Port(node: "c@h", id: 1, creation: 1)),
            .record(Record(module: "m", name: "r", keys: ["a", "b"], values: [.atom("a"), 1])),
            .port(Port(node: "c@h", id: 1 << 40, creation: 1)), [], .tuple([]),
            .bitstring(Bitstring(bytes: [0x80], lastBitCount: 1)),
            .atom(Atom(String(repeating: "ü", count: 200))),
            .tuple([Term](repeating: .atom("many"), count: 300)),
            // More atoms than a message can refer to, and than there are slots.
            .list((0..<5000).map { .atom(Atom("atom_\($0)")) }),
        ])
        var encoder = MessageEncoder(flags: Self.flags)
        var decoder = MessageDecoder(form: .header)
        for _ in 0..<3 {
            #expect(try decode(encoder.encode(message(term)), &decoder) == message(term))
            let large = Term.list([Term](repeating: term, count: 20))
            let frames = encoder.encode(message(large))
            #expect(frames.count > MessageEncoder.fragmentByteCount)
            #expect(try decode(frames, &decoder) == message(large))
        }
    }

    @Test func `a message that was not sent does not count as told`() throws {
        var encoder = MessageEncoder(flags: Self.flags)
        var decoder = MessageDecoder(form: .header)
        _ = encoder.encode(message(.atom("lost")))
        encoder.messageWasDropped()
        let next = message(.atom("lost"))
        #expect(try decode(encoder.encode(next), &decoder) == next)
    }
}

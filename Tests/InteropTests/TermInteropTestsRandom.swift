import ExternalTermFormat
import TestKit

/// Random terms of every kind, or of every kind that text can express.
struct TermGenerator {
    var random: SeededRandom
    var onlyText = false

    mutating func term(depth: Int) -> Term {
        guard depth > 0 else { return leaf() }
        switch below(9) {
        case 0: return .tuple(terms(depth))
        case 1: return .list(terms(depth))
        case 2: return .list(terms(depth), tail: leaf())
        case 3, 4: return .map(map(depth))
        case 5: return term(depth: depth - 1)
        case 6:
            // A nest much deeper than the rest.
            return (0..<below(60)).reduce(leaf()) { inner, level in
                level % 2 == 0 ? .tuple([inner]) : .list([inner])
            }
        default: return leaf()
        }
    }

    private mutating func terms(_ depth: Int) -> [Term] {
        (0..<below(6)).map { _ in term(depth: depth - 1) }
    }

    private mutating func map(_ depth: Int) -> TermMap {
        var seen: Set<Term> = []
        var map = TermMap()
        let isLarge = below(8) == 0
        for _ in 0..<below(isLarge ? 80 : 6) {
            let key = isLarge ? leaf() : term(depth: depth - 1)
            if seen.insert(key).inserted {
                map.pairs.append((key: key, value: term(depth: isLarge ? 0 : depth - 1)))
            }
        }
        return map
    }

    private mutating func leaf() -> Term {
        switch below(onlyText ? 12 : 16) {
        case 0: return .integer(Int(below(600)) - 300)
        case 1: return .integer(Int(truncatingIfNeeded: random.next()) >> below(64))
        case 2:
            return Term(
                BigInteger(
                    isNegative: random.next() % 2 == 0, littleEndianMagnitude: bytes(400)))
        case 3: return .float(float())
        case 4: return .atom(Atom(shortEnough: text(20, ascii: true)))
        case 5: return .atom(Atom(shortEnough: text(40, ascii: false)))
        case 6: return .charlist(text(20, ascii: below(2) == 0))
        case 7: return .binary(text(20, ascii: below(2) == 0))
        case 8: return .binary(bytes(30))
        case 9:
            return .bitstring(Bitstring(bytes: bytes(6) + [0xAB], lastBitCount: 1 + below(7)))
        case 10:
            return .export(
                Export(
                    module: "lists", function: Atom(shortEnough: text(9, ascii: false)), arity: 3))
        case 11: return .list(bytes(20).map { .integer(Int($0)) })
        case 12: return .pid(pid())
        case 13:
            return .port(
                Port(
                    node: "other@host", id: random.next() >> UInt64(below(64)),
                    creation: word(below(32))))
        case 14:
            return .reference(
                Reference(
                    node: "other@host", creation: word(1),
                    words: (0...below(5)).map { _ in word(14) }))
        default:
            return .fun(
                Fun(
                    arity: 1, uniq: (0..<16).map { _ in UInt8(below(256)) }, index: word(8),
                    module: Atom(shortEnough: "no_such_\(below(1_000_000))"),
                    oldIndex: below(100_000),
                    oldUniq: below(100_000_000), pid: pid(), freeVariables: [1, 2.5]))
        }
    }

    private mutating func pid() -> PID {
        PID(
            node: "other@host", id: word(below(32)), serial: word(below(32)),
            creation: word(below(32)))
    }

    private mutating func float() -> Double {
        while true {
            let value = Double(bitPattern: random.next())
            if value.isFinite { return value }
        }
    }

    private mutating func text(_ maximum: Int, ascii: Bool) -> String {
        var text = ""
        for _ in 0..<below(maximum) {
            let code = ascii ? 32 + below(95) : below(below(2) == 0 ? 0x180 : 0x11_0000)
            // Erlang reads neither of these two, not even those that it printed itself.
            if code == 0xFFFE || code == 0xFFFF { continue }
            if let scalar = Unicode.Scalar(UInt32(code)) { text.unicodeScalars.append(scalar) }
        }
        return text
    }

    private mutating func bytes(_ maximum: Int) -> [UInt8] {
        (0..<below(maximum)).map { _ in UInt8(below(256)) }
    }

    private mutating func word(_ shift: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: random.next()) >> UInt32(shift)
    }

    private mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &random)
    }
}

extension Term {
    /// The number of pairs of the largest map in it, whose order a real node is free to change; -1 without any.
    var largestMapCount: Int {
        switch self {
        case .map(let map):
            map.pairs.reduce(map.count) {
                max($0, $1.key.largestMapCount, $1.value.largestMapCount)
            }
        case .tuple(let elements), .improperList(let elements, _):
            // The tails here are never maps.
            elements.reduce(-1) { max($0, $1.largestMapCount) }
        case .list(let elements):
            elements.reduce(-1) { max($0, $1.largestMapCount) }
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .port, .reference,
            .record, .fun, .export:
            -1
        }
    }
}

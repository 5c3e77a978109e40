import ExternalTermFormat

/// Bytes without a version number, and the term they are.
struct Sample: Sendable {
    let bytes: [UInt8]
    let term: Term

    init(_ bytes: [UInt8], _ term: Term) {
        self.bytes = bytes
        self.term = term
    }
}

extension Sample {
    static let node: [UInt8] = [119, 3] + Array("a@b".utf8)
    static let pid = PID(node: "a@b", id: 0x0102_0304, serial: 5, creation: 0x0607_0809)
    static let fun = Fun(
        arity: 1, uniq: Array(0..<16), index: 2, module: "m", oldIndex: 3, oldUniq: 70000, pid: pid,
        freeVariables: [7])

    /// What a current node sends, and what the encoder writes.
    static let current: [Sample] = [
        Sample([97, 0], 0),
        Sample([97, 255], 255),
        Sample([98, 0, 0, 1, 0], 256),
        Sample([98, 255, 255, 255, 255], -1),
        Sample([98, 127, 255, 255, 255], .integer(2_147_483_647)),
        Sample([98, 128, 0, 0, 0], .integer(-2_147_483_648)),
        Sample([110, 4, 0, 0, 0, 0, 128], .integer(2_147_483_648)),
        Sample([110, 4, 1, 1, 0, 0, 128], .integer(-2_147_483_649)),
        Sample([110, 8, 0] + [UInt8](repeating: 255, count: 7) + [127], .integer(.max)),
        Sample([110, 8, 1] + [UInt8](repeating: 0, count: 7) + [128], .integer(.min)),
        Sample([110, 8, 0] + [UInt8](repeating: 255, count: 8), Term(UInt64.max)),
        Sample(
            [110, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            .bigInteger(BigInteger("-18446744073709551616")!)),
        Sample(
            [111, 0, 0, 1, 0, 0] + [UInt8](repeating: 1, count: 256),
            .bigInteger(
                BigInteger(
                    isNegative: false, littleEndianMagnitude: [UInt8](repeating: 1, count: 256)))),
        Sample([70, 63, 248, 0, 0, 0, 0, 0, 0], 1.5),
        Sample([70, 128, 0, 0, 0, 0, 0, 0, 0], -0.0),
        Sample([119, 0], .atom("")),
        Sample([119, 2, 111, 107], .atom(.ok)),
        Sample([119, 2, 206, 169], .atom("Ω")),
        Sample([119, 1, 0], .atom("\0")),
        Sample([119, 15] + [UInt8](repeating: 97, count: 15), .atom("aaaaaaaaaaaaaaa")),
        Sample([119, 16] + [UInt8](repeating: 97, count: 16), .atom("aaaaaaaaaaaaaaaa")),
        Sample(
            [118, 1, 254] + Array(String(repeating: "Ω", count: 255).utf8),
            .atom(Atom(shortEnough: String(repeating: "Ω", count: 255)))),
        Sample([109, 0, 0, 0, 0], .binary("")),
        Sample([109, 0, 0, 0, 2, 1, 2], .binary([1, 2])),
        Sample(
            [77, 0, 0, 0, 2, 3, 1, 224], .bitstring(Bitstring(bytes: [1, 255], lastBitCount: 3))),
        Sample([104, 0], .tuple([])),
        Sample([104, 2, 97, 1, 106], .tuple([1, []])),
        Sample(
            [105, 0, 0, 1, 0] + [UInt8](repeating: 106, count: 256),
            .tuple([Term](repeating: [], count: 256))),
        Sample([106], []),
        Sample([107, 0, 2, 104, 105], .charlist("hi")),
        Sample([108, 0, 0, 0, 1, 106, 106], [[]]),
        Sample([108, 0, 0, 0, 1, 97, 1, 97, 2], .improperList([1], 2)),
        Sample(
            [108, 0, 1, 0, 0] + Array(repeatElement([97, 9], count: 65536).joined()) + [106],
            .list([Term](repeating: 9, count: 65536))),
        Sample(
            [107, 255, 255] + [UInt8](repeating: 9, count: 65535),
            .list([Term](repeating: 9, count: 65535))),
        Sample([116, 0, 0, 0, 0], .map([:])),
        Sample([116, 0, 0, 0, 1, 119, 1, 97, 97, 1], .map([.atom("a"): 1])),
        Sample([88] + node + [1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9], .pid(pid)),
        Sample(
            [89] + node + [15, 255, 255, 255, 0, 0, 0, 1],
            .port(Port(node: "a@b", id: 0x0FFF_FFFF, creation: 1))),
        Sample(
            [120] + node + [0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 1],
            .port(Port(node: "a@b", id: 0x1000_0000, creation: 1))),
        Sample(
            [90, 0, 3] + node + [0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
            .reference(Reference(node: "a@b", creation: 9, words: [1, 2, 3]))),
        Sample(
            [90, 0, 5] + node + [UInt8](repeating: 1, count: 24),
            .reference(
                Reference(
                    node: "a@b", creation: 0x0101_0101,
                    words: [UInt32](repeating: 0x0101_0101, count: 5)))),
        Sample(
            [113, 119, 1, 109, 119, 1, 102, 97, 2],
            .export(Export(module: "m", function: "f", arity: 2))),
        Sample(
            [112, 0, 0, 0, 59, 1] + Array(0..<16) + [0, 0, 0, 2, 0, 0, 0, 1, 119, 1, 109, 97, 3]
                + [98, 0, 1, 17, 112, 88] + node + [1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9, 97, 7],
            .fun(fun)),
        // As OTP 29 writes `#rec:point{x = 1, y = [a]}`, and an empty one that is not exported.
        Sample(
            [67, 0, 0, 0, 2, 1, 119, 3, 114, 101, 99, 119, 5, 112, 111, 105, 110, 116]
                + [119, 1, 120, 119, 1, 121, 97, 1, 108, 0, 0, 0, 1, 119, 1, 97, 106],
            .record(
                Record(
                    module: "rec", name: "point", keys: ["x", "y"], values: [1, [.atom("a")]]))),
        Sample(
            [67, 0, 0, 0, 0, 0, 119, 3, 114, 101, 99, 119, 5, 101, 109, 112, 116, 121],
            .record(
                Record(module: "rec", name: "empty", isExported: false, keys: [], values: []))),
    ]

    /// What nodes of former times sent, and current ones still accept.
    static let old: [Sample] = [
        Sample([99] + Array("1.50000000000000000000e+00".utf8) + [0, 0, 0, 0, 0], 1.5),
        Sample([99] + Array("-2.50000000000000000000e-300".utf8) + [0, 0, 0], -2.5e-300),
        Sample([100, 0, 2, 111, 107], .atom(.ok)),
        Sample([100, 0, 1, 228], .atom("ä")),
        Sample([115, 1, 228], .atom("ä")),
        Sample([118, 0, 2, 111, 107], .atom(.ok)),
        Sample(
            [101] + node + [0, 0, 0, 7, 2],
            .reference(Reference(node: "a@b", creation: 2, words: [7]))),
        Sample([102] + node + [0, 0, 0, 7, 2], .port(Port(node: "a@b", id: 7, creation: 2))),
        Sample(
            [103] + node + [0, 0, 0, 7, 0, 0, 0, 8, 2],
            .pid(PID(node: "a@b", id: 7, serial: 8, creation: 2))),
        Sample(
            [114, 0, 2] + node + [2, 0, 0, 0, 7, 0, 0, 0, 8],
            .reference(Reference(node: "a@b", creation: 2, words: [7, 8]))),
        // Not the shortest form, but a right one.
        Sample([110, 3, 0, 5, 0, 0], 5),
        Sample([110, 1, 1, 0], 0),
        Sample([111, 0, 0, 0, 1, 0, 5], 5),
        Sample([107, 0, 0], []),
        Sample([105, 0, 0, 0, 1, 97, 1], .tuple([1])),
        Sample([77, 0, 0, 0, 1, 8, 5], .binary([5])),
        Sample([77, 0, 0, 0, 0, 0], .binary([])),
        Sample([108, 0, 0, 0, 0, 106], []),
        Sample([108, 0, 0, 0, 0, 97, 1], 1),
        Sample([108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 106], [1, 2]),
        Sample([108, 0, 0, 0, 1, 97, 1, 107, 0, 1, 2], [1, 2]),
        Sample(
            [108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 97, 3], .improperList([1, 2], 3)),
    ]

    /// One term with something of everything in it.
    static let everything = Term.tuple(
        current.filter { $0.bytes.count < 1000 }.map(\.term)
            + [.map(TermMap([(key: .tuple([1]), value: 2), (key: [3], value: .map([:]))]))])
}

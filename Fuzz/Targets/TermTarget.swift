@testable import ExternalTermFormat

/// The decoder of the external term format: what decodes is written as bytes and as text that mean the same.
enum TermTarget {
    static func check(_ bytes: [UInt8]) throws {
        let term: Term
        do throws(TermError) {
            term = try Term(decoding: bytes)
        } catch {
            return
        }
        let encoded = term.encoded()
        try require(
            try Term(decoding: encoded) == term, "another term after encoding: \(term)")
        try require(
            try Term(decoding: encoded).encoded() == encoded, "not encoded twice alike: \(term)")
        try require(
            try Term(decoding: encoded).hashValue == term.hashValue, "another hash: \(term)")
        try require(
            try Term(decoding: term.encoded(compressed: 1)) == term, "compressed: \(term)")
        let text = term.erlangText()
        if term.isReadable {
            try require(try Term(text: text) == term, "another term after writing: \(text)")
        }
    }
}

extension Term {
    /// Whether Erlang's syntax has a form for it that can be read back.
    var isReadable: Bool {
        switch self {
        case .pid, .port, .reference, .fun, .record: false
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .export: true
        case .tuple(let elements): elements.allSatisfy(\.isReadable)
        case .list(let elements): elements.allSatisfy(\.isReadable)
        case .improperList(let elements, let tail):
            tail.isReadable && elements.allSatisfy(\.isReadable)
        case .map(let map): map.pairs.allSatisfy { $0.key.isReadable && $0.value.isReadable }
        }
    }
}

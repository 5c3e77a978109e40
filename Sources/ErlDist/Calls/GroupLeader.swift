internal import ExternalTermFormat

/// Answers the I/O requests of remote functions: all that they print goes to one place, and they
/// have nothing to read.
///
/// It makes no more text than it passes on, whatever a request asks for. Its replies contain none
/// of that text.
///
/// Source: "The Erlang I/O Protocol", STDLIB user's guide.
struct GroupLeader {
    /// Group leaders have this serial number, whatever their id. They never end: a function may go
    /// on after its call has ended, and must not crash when it prints.
    static let serial: UInt32 = 1

    /// How much text may be formatted for one request, and how long its format may be.
    static let maximumFormattedByteCount = 256 << 10
    /// How much text one request may carry to be printed.
    static let maximumCharactersByteCount = 4 << 20
    /// How many requests one request may contain.
    static let maximumRequestCount = 64

    /// How many bytes may still be printed.
    private var remainingByteCount: Int
    /// How many bytes of text were made.
    private(set) var madeByteCount = 0
    private let output: @Sendable (String) -> Void

    init(maximumByteCount: Int, output: @escaping @Sendable (String) -> Void) {
        remainingByteCount = maximumByteCount
        self.output = output
    }

    /// The reply to a request, which `{io_reply, ReplyAs, Reply}` carries back.
    /// - Parameter depth: how many requests enclose this one.
    mutating func answer(_ request: Term, depth: Int = 0) -> Term {
        if request == .atom("getopts") {
            return [
                .tuple([.atom("binary"), false]), .tuple([.atom("encoding"), .atom("unicode")]),
            ]
        }
        guard case .tuple(let fields) = request, case .atom(let kind)? = fields.first else {
            return Self.requestError
        }
        switch (kind.name, fields.count) {
        case ("put_chars", 3):
            return put(fields[2], encoding: fields[1])
        case ("put_chars", 5):
            guard fields[2] == .atom("io_lib"), let function = fields[3].asAtom,
                let arguments = fields[4].asList
            else { return Self.requestError }
            return format(function, arguments)
        case ("put_chars", 2):
            // This request is older than the `unicode` encoding: its bytes are Latin-1.
            return put(fields[1], encoding: .atom("latin1"))
        case ("put_chars", 4):
            return answer(
                .tuple([fields[0], .atom("latin1"), fields[1], fields[2], fields[3]]), depth: depth)
        case ("requests", 2):
            guard case .list(let requests) = fields[1], depth < 4,
                requests.count <= Self.maximumRequestCount
            else { return Self.requestError }
            var reply = Term.atom(.ok)
            for request in requests {
                reply = answer(request, depth: depth + 1)
                if case .tuple(let fields) = reply, fields.first == .atom(.error) { break }
            }
            return reply
        case ("setopts", 2):
            return .atom(.ok)
        case ("get_geometry", 2):
            return .tuple([.atom(.error), .atom("enotsup")])
        case ("get_line", _), ("get_chars", _), ("get_until", _), ("get_password", _):
            return .atom("eof")
        case (_, _):
            return Self.requestError
        }
    }

    private static let requestError = Term.tuple([.atom(.error), .atom("request")])

    private mutating func format(_ function: Atom, _ arguments: [Term]) -> Term {
        let limit = min(remainingByteCount, Self.maximumFormattedByteCount)
        guard
            let text = FormattedOutput.text(
                function: function.name, arguments,
                // One character beyond the limit shows that there is more.
                maximumByteCount: limit + 4)
        else { return Self.requestError }
        return put(text, limit: limit)
    }

    private mutating func put(_ characters: Term, encoding: Term) -> Term {
        let limit = min(remainingByteCount, Self.maximumCharactersByteCount)
        // One character beyond the limit shows that there is more.
        if encoding == .atom("latin1"), let bytes = characters.bytes(upTo: limit + 1) {
            return put(Self.text(latin1: bytes), limit: limit)
        }
        guard let text = characters.text(upTo: limit + 4) else {
            return .tuple([.atom(.error), .atom("put_chars")])
        }
        return put(text, limit: limit)
    }

    private static func text(latin1 bytes: [UInt8]) -> String {
        guard bytes.contains(where: { $0 >= 0x80 }) else {
            return String(decoding: bytes, as: UTF8.self)
        }
        var utf8: [UInt8] = []
        utf8.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            if byte < 0x80 {
                utf8.append(byte)
            } else {
                utf8.append(0xC0 | byte >> 6)
                utf8.append(0x80 | byte & 0x3F)
            }
        }
        return String(decoding: utf8, as: UTF8.self)
    }

    private mutating func put(_ text: String, limit: Int) -> Term {
        let count = text.utf8.count
        madeByteCount += count
        guard remainingByteCount > 0, count > 0 else { return .atom(.ok) }
        if count <= limit {
            output(text)
        } else {
            var part = Array(text.utf8.prefix(limit + 1))
            // The first byte beyond the limit goes, with what its character has before it.
            while let last = part.popLast(), last & 0b1100_0000 == 0b1000_0000 {}
            output(String(decoding: part, as: UTF8.self) + "\n[the rest is left out]\n")
        }
        remainingByteCount -= min(count, limit)
        return .atom(.ok)
    }
}

internal import ExternalTermFormat

/// Answers the I/O requests of remote functions: what they print goes to one place, and there is
/// nothing to read.
///
/// Source: "The Erlang I/O Protocol", STDLIB user's guide.
struct GroupLeader {
    /// What may still be printed.
    private var remainingByteCount: Int
    private let output: @Sendable (String) -> Void

    init(maximumByteCount: Int, output: @escaping @Sendable (String) -> Void) {
        remainingByteCount = maximumByteCount
        self.output = output
    }

    /// The reply to a request, which `{io_reply, ReplyAs, Reply}` carries back.
    mutating func answer(_ request: Term) -> Term {
        answer(request, depth: 0)
    }

    private static let requestError = Term.tuple([.atom(.error), .atom("request")])

    private mutating func answer(_ request: Term, depth: Int) -> Term {
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
                let arguments = fields[4].asList,
                let text = FormattedOutput.text(
                    function: function.name, arguments, maximumByteCount: remainingByteCount + 1)
            else { return Self.requestError }
            return put(text)
        case ("put_chars", 2):
            // Before unicode: bytes are Latin-1.
            return put(fields[1], encoding: .atom("latin1"))
        case ("put_chars", 4):
            return answer(
                .tuple([fields[0], .atom("latin1"), fields[1], fields[2], fields[3]]), depth: depth)
        case ("requests", 2):
            guard let requests = fields[1].asList, depth < 4 else { return Self.requestError }
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

    private mutating func put(_ characters: Term, encoding: Term) -> Term {
        if encoding == .atom("latin1"), let bytes = characters.asBytes {
            return put(String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) })))
        }
        guard let text = characters.asText else {
            return .tuple([.atom(.error), .tuple([.atom("put_chars"), encoding, characters])])
        }
        return put(text)
    }

    private mutating func put(_ text: String) -> Term {
        let count = text.utf8.count
        guard remainingByteCount > 0, count > 0 else { return .atom(.ok) }
        if count <= remainingByteCount {
            output(text)
        } else {
            // Cut before a character that would be broken.
            let part = text.utf8.prefix(remainingByteCount)
            output(String(decoding: part, as: UTF8.self) + "\n[the rest is left out]\n")
        }
        remainingByteCount -= min(count, remainingByteCount)
        return .atom(.ok)
    }
}

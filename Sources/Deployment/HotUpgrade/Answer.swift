internal import ExternalTermFormat

/// The answer to a call of `release_handler` or `systools`, sorted into the shapes that they use.
struct Answer: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        /// `ok`, or `{ok, Value…}`.
        case ok([Term])
        /// `{error, Reason}`, `{error, Module, Reason}`, or `error` alone, whose reason is the
        /// printed text.
        case error(Term)
        /// `{badrpc, Reason}`: it is unknown whether and how far the call ran.
        case badRPC(Term)
        /// Anything else.
        case other(Term)
    }

    var kind: Kind
    /// For people: the answer in Erlang's syntax, shortened, and the printed text.
    var text: String

    init(_ term: Term, output: String) {
        text = withOutput(shortened(term), output)
        if term == .atom(.ok) {
            kind = .ok([])
        } else if term == .atom(.error) {
            kind = .error(.binary(output))
        } else if let parts = term.asTuple, parts.count >= 2, let tag = parts[0].asAtom {
            switch tag {
            case .ok: kind = .ok(Array(parts.dropFirst()))
            case .error: kind = .error(parts[parts.count - 1])
            case "badrpc": kind = .badRPC(parts[1])
            default: kind = .other(term)
            }
        } else {
            kind = .other(term)
        }
    }
}

extension Answer {
    /// Whether a node that gives this answer to `install_release` restarts itself. It does so after
    /// `{continue_after_restart, …}`, and after every error except those that it finds before it
    /// changes anything.
    ///
    /// Source: `handle_call/3`, release_handler, SASL. A thrown error is only answered. Any other
    /// exit is answered in the same shape, and `init:restart/0` follows.
    var restartsNode: Bool {
        switch kind {
        case .error(let reason):
            guard let tag = reason.asTuple?.first ?? (reason.asAtom == nil ? nil : reason) else {
                return false
            }
            return tag.asAtom.map { !Self.answeredOnly.contains($0) } ?? true
        case .other(let term): return term.asTuple?.first == .atom("continue_after_restart")
        case .ok, .badRPC: return false
        }
    }

    private static let answeredOnly: Set<Atom> = [
        "no_such_release", "no_matching_relup", "already_installed", "bad_status", "old_processes",
        "illegal_option", "illegal_instruction", "bad_relup_file", "no_such_file",
        "no_such_directory",
        "enoent", "eacces", "sync_error",
    ]
}

/// `text`, followed by the printed output, on one line.
func withOutput(_ text: String, _ output: String) -> String {
    // More would not be shown; the output may be megabytes.
    let output = String(decoding: output.utf8.prefix(16 << 10), as: UTF8.self)
    let lines = output.split(whereSeparator: \.isNewline).map {
        $0.trimming { $0.isWhitespace }
    }.filter { !$0.isEmpty }
    guard !lines.isEmpty else { return shortened(text) }
    return shortened("\(text): \(lines.joined(separator: " "))")
}

extension Substring {
    fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> Substring {
        var rest = self.drop(while: isTrimmed)
        while let last = rest.last, isTrimmed(last) { rest.removeLast() }
        return rest
    }
}

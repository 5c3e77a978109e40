internal import ExternalTermFormat

/// What of that which a peer has sent goes back to it, or on to others: only what is short, because one message
/// can have many answers, and none may cost more than it.
enum Echo {
    /// Tags and references of questions, reasons of ends, arguments of functions that do not exist.
    static let maximumByteCount = 64 << 10

    /// Whether a term may be part of an answer.
    static func isShort(_ term: Term) -> Bool {
        term.isShort(maximumByteCount: maximumByteCount)
    }

    /// The reason with which a process ends; another one where a peer has sent a long one.
    static func reason(_ reason: Term) -> Term {
        isShort(reason) ? reason : .atom("reason_too_long")
    }

    /// What went wrong in words, the beginning of many.
    static func text(_ text: String) -> Term {
        .binary(Array(text.utf8.prefix(4096)))
    }
}

internal import ExternalTermFormat

/// Decides which terms from a peer may be sent back to it or on to others: short ones. One message
/// can cause many answers, which must not cost more than the message did.
enum Echo {
    /// The limit for the tags of questions, for exit reasons, and for the arguments of unknown
    /// functions.
    static let maximumByteCount = 64 << 10

    /// Whether a term may be part of an answer.
    static func isShort(_ term: Term) -> Bool {
        term.isShort(maximumByteCount: maximumByteCount)
    }

    /// The exit reason, or a short reason in place of a long one.
    static func reason(_ reason: Term) -> Term {
        isShort(reason) ? reason : .atom("reason_too_long")
    }

    /// An error's description, cut when it is long.
    static func text(_ text: String) -> Term {
        .binary(Array(text.utf8.prefix(4096)))
    }
}

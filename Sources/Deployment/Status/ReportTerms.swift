internal import ExternalTermFormat

// What the reports are made of: maps with atoms as keys, `null` for what is not there.

extension Term {
    static let null = Term.atom("null")

    static func orNull(_ text: String?) -> Term {
        text.map { .binary($0) } ?? null
    }

    static func flag(_ value: Bool) -> Term { .atom(value ? .true : .false) }

    /// Whole seconds.
    static func seconds(_ duration: Duration) -> Term {
        .integer(Int(duration.components.seconds))
    }

    static func object(_ pairs: [(Atom, Term)]) -> Term {
        .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
    }
}

package import ExternalTermFormat

/// A value that travels as a map with atoms as keys and `null` for missing values. It names each
/// field once; both writing and reading use that list.
package protocol TermDocument: TermConvertible, Equatable, Sendable {
    /// The document without any values.
    static var empty: Self { get }
    /// The fields in the order in which they are written.
    static var fields: [TermField<Self>] { get }
}

extension TermDocument {
    package var term: Term { .object(Self.fields.map { ($0.key, $0.write(self)) }) }

    /// Leaves out fields that `term` lacks or has in another shape, because the sender may be of
    /// another version.
    package init(reading term: Term) {
        self = .empty
        guard let map = term.asMap else { return }
        for field in Self.fields {
            if let value = map[field.key] { field.read(value, &self) }
        }
    }

    package init(term: Term) throws(TermConversionError) {
        guard term.asMap != nil else { throw TermConversionError(expected: "a map", found: term) }
        self.init(reading: term)
    }
}

/// One field of a ``TermDocument``.
package struct TermField<Document> {
    let key: Atom
    let write: (Document) -> Term
    let read: (Term, inout Document) -> Void

    package init<Value: TermConvertible>(
        _ key: Atom, _ path: WritableKeyPath<Document, Value?>
    ) {
        self.key = key
        write = { .orNull($0[keyPath: path]) }
        read = { $1[keyPath: path] = try? Value(term: $0) }
    }

    package init<Element: TermConvertible>(
        _ key: Atom, _ path: WritableKeyPath<Document, [Element]>
    ) {
        self.key = key
        write = { $0[keyPath: path].term }
        read = { term, document in
            document[keyPath: path] = (term.asList ?? []).compactMap { try? Element(term: $0) }
        }
    }
}

extension Term {
    package static let null = Term.atom("null")

    package static func orNull(_ value: (some TermConvertible)?) -> Term { value?.term ?? .null }

    /// A map with atoms as keys. The keys must differ.
    package static func object(_ pairs: [(Atom, Term)]) -> Term {
        .map(TermMap(pairs.map { (key: .atom($0.0), value: $0.1) }))
    }

    /// The value of an atom in a map.
    package subscript(_ key: Atom) -> Term? { asMap?[key] }
}

/// Collects the members of an object one by one. Keys must differ.
package struct TermObject {
    private var pairs: [(Atom, Term)] = []

    package init() {}

    /// Adds a member; `null` stands for a value that is missing.
    package mutating func add(_ key: Atom, _ value: (some TermConvertible)?) {
        pairs.append((key, .orNull(value)))
    }

    package var term: Term { .object(pairs) }
}

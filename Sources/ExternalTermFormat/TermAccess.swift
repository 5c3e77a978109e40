// Access for code that expects a certain shape of a term; `nil` when the term has another.

extension Term {
    public var asAtom: Atom? {
        if case .atom(let atom) = self { atom } else { nil }
    }

    /// An integer within the range of `Int`.
    public var asInteger: Int? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// An integer within the range of `UInt64`, such as the identifiers in control messages.
    public var asUInt64: UInt64? {
        switch self {
        case .integer(let value): UInt64(exactly: value)
        case .bigInteger(let value): UInt64(exactly: value)
        case .float, .atom, .binary, .bitstring, .tuple, .list, .improperList, .map, .pid, .port,
            .reference, .record, .fun, .export:
            nil
        }
    }

    public var asFloat: Double? {
        if case .float(let value) = self { value } else { nil }
    }

    /// `true` or `false` for the atoms of that name.
    public var asBool: Bool? {
        switch asAtom {
        case Atom.true?: true
        case Atom.false?: false
        default: nil
        }
    }

    /// The bytes of a binary. They may be a copy: see ``Binary``.
    public var asBinary: [UInt8]? {
        if case .binary(let bytes) = self { Array(bytes) } else { nil }
    }

    public var asTuple: [Term]? {
        if case .tuple(let elements) = self { elements } else { nil }
    }

    /// The elements of a proper list. If they are integers they may be a copy: see ``TermList``.
    public var asList: [Term]? {
        if case .list(let elements) = self { Array(elements) } else { nil }
    }

    public var asMap: TermMap? {
        if case .map(let map) = self { map } else { nil }
    }

    public var asPID: PID? {
        if case .pid(let pid) = self { pid } else { nil }
    }

    public var asPort: Port? {
        if case .port(let port) = self { port } else { nil }
    }

    public var asReference: Reference? {
        if case .reference(let reference) = self { reference } else { nil }
    }

    /// Character data as text: a UTF-8 binary, a list of code points, or nested lists of both.
    ///
    /// It is what `unicode:characters_to_binary/1` accepts whole; `nil` for anything else, such as
    /// a binary that is not UTF-8.
    public var asText: String? { text(upTo: .max) }

    /// An iolist or binary as bytes, as `iolist_to_binary/1` joins it.
    public var asBytes: [UInt8]? { bytes(upTo: .max) }
}

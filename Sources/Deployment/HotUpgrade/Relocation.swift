internal import ExternalTermFormat

/// Changes paths into one folder, anywhere in a term, to paths into another folder.
///
/// A path is a binary or a list of bytes that equals the folder, or begins with it and a slash.
struct Relocation {
    private let old: [UInt8]
    private let new: [UInt8]

    init(from old: [UInt8], to new: [UInt8]) {
        self.old = old
        self.new = new
    }

    func apply(to term: Term) -> Term {
        switch term {
        case .integer, .bigInteger, .float, .atom, .bitstring, .pid, .port, .reference, .record,
            .fun, .export:
            return term
        case .binary(let bytes):
            return relocated(bytes).map(Term.binary(_:)) ?? term
        case .tuple(let elements):
            return .tuple(elements.map(apply(to:)))
        case .list(let elements):
            if let bytes = Self.bytes(elements), let path = relocated(bytes) {
                return .list(path.map { .integer(Int($0)) })
            }
            return .list(elements.map(apply(to:)))
        case .improperList(let elements, let tail):
            return .list(elements.map(apply(to:)), tail: apply(to: tail))
        case .map(let map):
            // The keys stay: two of them must not become one.
            return .map(TermMap(map.pairs.map { (key: $0.key, value: apply(to: $0.value)) }))
        }
    }

    private func relocated(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        guard bytes.starts(with: old) else { return nil }
        let rest = bytes.dropFirst(old.count)
        guard rest.isEmpty || rest.first == UInt8(ascii: "/") else { return nil }
        return new + rest
    }

    /// The list as bytes of UTF-8, whether it holds those or code points.
    private static func bytes(_ elements: TermList) -> [UInt8]? {
        var bytes: [UInt8] = []
        for element in elements {
            guard case .integer(let value) = element, let byte = UInt8(exactly: value) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}

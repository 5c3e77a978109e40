/// The pairs of an Erlang map, in the order in which they came or will be written.
///
/// Two maps are equal when they have the same pairs in any order. Keys are distinct: the decoder
/// rejects a repeated key, as a real node does. Whoever fills ``pairs`` must make sure of it.
public struct TermMap: Sendable {
    /// Keys and values in turn, as the decoder reads them.
    let terms: [Term]

    /// The map with those pairs, whose keys must be distinct.
    public init(_ pairs: [(key: Term, value: Term)] = []) {
        var terms: [Term] = []
        terms.reserveCapacity(pairs.count * 2)
        for pair in pairs {
            terms.append(pair.key)
            terms.append(pair.value)
        }
        self.terms = terms
    }

    /// The map of keys and values in turn. The keys are distinct, and each has a value.
    init(keysAndValues terms: [Term]) {
        self.terms = terms
    }

    /// The pairs of keys and values; a copy.
    public var pairs: [(key: Term, value: Term)] {
        get { places.map { (key: key(at: $0), value: value(at: $0)) } }
        set { self = TermMap(newValue) }
    }

    public var count: Int { terms.count / 2 }
    public var isEmpty: Bool { terms.isEmpty }

    /// The value of a key. The search is linear.
    public subscript(_ key: Term) -> Term? {
        places.first { self.key(at: $0) == key }.map(value(at:))
    }

    /// The value of an atom key.
    public subscript(_ key: Atom) -> Term? {
        for place in places {
            if case .atom(key) = self.key(at: place) { return value(at: place) }
        }
        return nil
    }
}

extension TermMap {
    /// The numbers of the pairs.
    var places: Range<Int> { 0..<count }

    func key(at place: Int) -> Term { terms[place &* 2] }

    func value(at place: Int) -> Term { terms[place &* 2 &+ 1] }
}

extension TermMap: ExpressibleByDictionaryLiteral {
    /// The map with those pairs, whose keys must be distinct.
    public init(dictionaryLiteral elements: (Term, Term)...) {
        self.init(elements.map { (key: $0.0, value: $0.1) })
    }
}

extension TermMap: Hashable {
    /// Whether both have the same pairs in any order. This takes time linear in their size, apart
    /// from a sort of integers.
    ///
    /// Where keys are maps, naive comparison would take quadratic time, or time exponential in the
    /// nesting. So keys are matched by hash, and each is compared once. Scalar keys, which are
    /// nearly all, have a faster path.
    public static func == (left: TermMap, right: TermMap) -> Bool {
        guard left.count == right.count else { return false }
        let matched = left.scalarPrefix(sharedWith: right)
        guard matched < left.count else { return left.hasSameValues(as: right) }
        let leftOrder = left.placesByHash
        let rightOrder = right.placesByHash
        guard leftOrder.map(\.hash) == rightOrder.map(\.hash) else { return false }
        for position in leftOrder.indices {
            guard left.hasPair(leftOrder[position], in: right, rightOrder, from: position) else {
                return false
            }
        }
        return true
    }

    /// How many pairs from the first on have the same scalar key in both maps.
    private func scalarPrefix(sharedWith other: TermMap) -> Int {
        var matched = 0
        while matched < count, key(at: matched).isScalar, key(at: matched) == other.key(at: matched)
        {
            matched += 1
        }
        return matched
    }

    private func hasSameValues(as other: TermMap) -> Bool {
        for place in places {
            guard value(at: place) == other.value(at: place) else { return false }
        }
        return true
    }

    /// Whether another map has the pair of that place. Both maps' orders are given, and their
    /// hashes agree.
    private func hasPair(
        _ place: HashedPlace, in other: TermMap, _ order: [HashedPlace], from position: Int
    ) -> Bool {
        // Nearly always the first candidate is right: hashes have 64 bits. Places before `position`
        // with the same hash are looked at too, because keys with equal hashes come in any order.
        var candidate = position
        while candidate > 0, order[candidate - 1].hash == place.hash { candidate -= 1 }
        while candidate < order.count, order[candidate].hash == place.hash {
            if key(at: place.index) == other.key(at: order[candidate].index) {
                return value(at: place.index) == other.value(at: order[candidate].index)
            }
            candidate += 1
        }
        return false
    }

    /// Whether a term is an equal map.
    func isEqual(to term: Term) -> Bool {
        if case .map(let map) = term { self == map } else { false }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        // Addition makes the hash independent of the order.
        var sum = 0
        for place in places { sum &+= hashOfPair(at: place) }
        hasher.combine(sum)
    }

    private func hashOfPair(at place: Int) -> Int {
        var hasher = Hasher()
        key(at: place).hash(into: &hasher)
        value(at: place).hash(into: &hasher)
        return hasher.finalize()
    }

    /// A key that occurs twice, if any.
    var repeatedKey: Term? {
        repeatedKey {}
    }

    /// A key that occurs twice, if any.
    /// - Parameter willHash: is called before keys are hashed with all their contents.
    func repeatedKey<Failure: Error>(
        willHash: () throws(Failure) -> Void
    ) throws(Failure) -> Term? {
        // Up to here it is faster to compare each key with each than to hash, if one comparison is
        // cheap.
        guard count > 1 else { return nil }
        guard count <= 16 else {
            try willHash()
            return repeatedKeyOfMany
        }
        var digests = InlineArray<16, UInt64>(repeating: 0)
        // Looking at an element of an array would retain it.
        let terms = terms.span
        for place in places {
            guard let digest = terms[place &* 2].scalarDigest else {
                try willHash()
                return repeatedKeyOfMany
            }
            // Only keys with the same digest can be equal, and comparing terms counts references.
            for earlier in 0..<place where digests[earlier] == digest {
                if key(at: earlier) == key(at: place) { return key(at: place) }
            }
            digests[place] = digest
        }
        return nil
    }

    /// How many bytes the keys that are not scalars have when they are encoded.
    var containerKeyByteCount: Int {
        places.reduce(0) { sum, place in
            let key = key(at: place)
            return key.isScalar
                ? sum : unsafe sum + withUnsafePointer(to: key) { unsafe EncodedByteCount.of($0) }
        }
    }

    private var repeatedKeyOfMany: Term? {
        let order = placesByHash
        for (first, second) in zip(order, order.dropFirst()) where first.hash == second.hash {
            // Three keys with one hash, two of them equal, do not occur by chance in 64 bits.
            if key(at: first.index) == key(at: second.index) { return key(at: second.index) }
        }
        return nil
    }

    /// A pair's place and the hash of its key.
    private struct HashedPlace {
        var hash: Int
        var index: Int
    }

    private var placesByHash: [HashedPlace] {
        var order: [HashedPlace] = []
        order.reserveCapacity(count)
        for place in places {
            order.append(HashedPlace(hash: key(at: place).hashValue, index: place))
        }
        order.sort { $0.hash < $1.hash }
        return order
    }
}

extension Term {
    /// A number that equal terms share; `nil` for terms that are not compared in a short, constant
    /// time.
    fileprivate var scalarDigest: UInt64? {
        switch self {
        case .atom(let atom):
            switch atom.storage {
            case .inline(let low, let first, let second, let third):
                low ^ Atom.highWord(first, second, third)
            case .shared(let bytes): UInt64(bytes.count)
            }
        case .integer(let value): UInt64(truncatingIfNeeded: value)
        case .float(let value): value.bitPattern
        case .pid, .port, .reference, .export: 0
        case .bigInteger, .binary, .bitstring, .tuple, .list, .improperList, .map, .record,
            .fun:
            nil
        }
    }

    /// Whether comparing the term takes a short, constant time.
    var isScalar: Bool {
        switch self {
        case .integer, .float, .atom, .pid, .port, .reference, .export: true
        case .bigInteger, .binary, .bitstring, .tuple, .list, .improperList, .map, .record,
            .fun:
            false
        }
    }
}

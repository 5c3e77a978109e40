/// The pairs of an Erlang map in the order in which they came, or are to be written.
///
/// Two maps are equal when they have the same pairs in any order. Keys are distinct: the decoder rejects
/// a repeated one, as a real node does, and whoever fills ``pairs`` sees to it.
public struct TermMap: Sendable {
    public var pairs: [(key: Term, value: Term)]

    /// The map with those pairs; their keys are distinct.
    public init(_ pairs: [(key: Term, value: Term)] = []) {
        self.pairs = pairs
    }

    public var count: Int { pairs.count }
    public var isEmpty: Bool { pairs.isEmpty }

    /// The value of a key, found by looking at one pair after the other.
    public subscript(_ key: Term) -> Term? {
        pairs.first { $0.key == key }?.value
    }

    /// The value of an atom key.
    public subscript(_ key: Atom) -> Term? {
        for pair in pairs {
            if case .atom(key) = pair.key { return pair.value }
        }
        return nil
    }
}

extension TermMap: ExpressibleByDictionaryLiteral {
    /// The map with those pairs; their keys are distinct.
    public init(dictionaryLiteral elements: (Term, Term)...) {
        self.init(elements.map { (key: $0.0, value: $0.1) })
    }
}

extension TermMap: Hashable {
    /// Whether both have the same pairs in any order, in time linear in their size but for a sort of integers.
    ///
    /// Keys that are maps themselves make naive comparison quadratic, or exponential in the nesting. So keys are
    /// matched by hash, and each is compared once. Scalar keys, which are nearly all, take the short way.
    public static func == (left: TermMap, right: TermMap) -> Bool {
        guard left.count == right.count else { return false }
        var matched = 0
        while matched < left.count, left.pairs[matched].key.isScalar,
            left.pairs[matched].key == right.pairs[matched].key
        {
            guard left.pairs[matched].value == right.pairs[matched].value else { return false }
            matched += 1
        }
        guard matched < left.count else { return true }
        let leftOrder = left.orderByHash(from: matched)
        let rightOrder = right.orderByHash(from: matched)
        for (first, second) in zip(leftOrder, rightOrder) {
            guard first.hash == second.hash else { return false }
        }
        var start = 0
        while start < leftOrder.count {
            // Different keys of one hash are as rare as 64-bit hashes repeat, but they must not decide.
            var end = start + 1
            while end < leftOrder.count, leftOrder[end].hash == leftOrder[start].hash { end += 1 }
            for first in leftOrder[start..<end] {
                let pair = left.pairs[first.index]
                let partner = rightOrder[start..<end].first {
                    right.pairs[$0.index].key == pair.key
                }
                guard let partner, right.pairs[partner.index].value == pair.value else {
                    return false
                }
            }
            start = end
        }
        return true
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(pairs.count)
        // Addition makes the hash independent of the order.
        var sum = 0
        for pair in pairs {
            var pairHasher = Hasher()
            pairHasher.combine(pair.key)
            pairHasher.combine(pair.value)
            sum &+= pairHasher.finalize()
        }
        hasher.combine(sum)
    }

    /// The first key that occurs twice, if any.
    var repeatedKey: Term? {
        // Up to here comparing each with each is faster than hashing, as long as one comparison is cheap.
        let fewPairs = 16
        if pairs.count <= fewPairs, pairs.allSatisfy({ $0.key.isScalar }) {
            for index in pairs.indices.dropFirst() {
                for earlier in 0..<index where pairs[earlier].key == pairs[index].key {
                    return pairs[index].key
                }
            }
            return nil
        }
        let order = orderByHash(from: 0)
        for (first, second) in zip(order, order.dropFirst()) where first.hash == second.hash {
            // Three keys of one hash, of which two are equal, do not occur by chance in 64 bits.
            if pairs[first.index].key == pairs[second.index].key { return pairs[second.index].key }
        }
        return nil
    }

    private func orderByHash(from start: Int) -> [(hash: Int, index: Int)] {
        var order: [(hash: Int, index: Int)] = []
        order.reserveCapacity(pairs.count - start)
        for index in start..<pairs.count {
            order.append((hash: pairs[index].key.hashValue, index: index))
        }
        order.sort { $0.hash < $1.hash }
        return order
    }
}

extension Term {
    /// Whether comparing it takes a short, constant time.
    var isScalar: Bool {
        switch self {
        case .integer, .float, .atom, .pid, .port, .reference, .export: true
        case .bigInteger, .binary, .bitstring, .tuple, .list, .improperList, .map, .fun: false
        }
    }
}

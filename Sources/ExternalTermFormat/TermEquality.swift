extension Term: Hashable {
    /// Erlang's `=:=` as of OTP 27.
    public static func == (left: Term, right: Term) -> Bool {
        // Split so that the recursive function has a small frame: see `TermParser`.
        switch left {
        case .tuple(let elements):
            elements == right.asTuple
        case .list(let elements):
            right.isList(elements)
        case .map(let map):
            map.isEqual(to: right)
        case .improperList(let elements, let tail):
            right.isImproperList(elements, tail)
        case .fun(let fun):
            right.isFun(fun)
        case .record(let record):
            right.isRecord(record)
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .port, .reference,
            .export:
            isSameLeaf(left, right)
        }
    }

    private func isList(_ elements: TermList) -> Bool {
        if case .list(let own) = self { own == elements } else { false }
    }

    private func isImproperList(_ elements: [Term], _ tail: Term) -> Bool {
        guard case .improperList(let ownElements, let ownTail) = self else { return false }
        return ownElements == elements && ownTail == tail
    }

    private func isFun(_ fun: Fun) -> Bool {
        if case .fun(let own) = self { own == fun } else { false }
    }

    private static func isSameLeaf(_ left: Term, _ right: Term) -> Bool {
        switch left {
        case .integer(let left):
            if case .integer(let right) = right { left == right } else { false }
        case .bigInteger(let left):
            if case .bigInteger(let right) = right { left == right } else { false }
        case .float(let left):
            if case .float(let right) = right { left.bitPattern == right.bitPattern } else { false }
        case .atom(let left):
            if case .atom(let right) = right { left == right } else { false }
        case .binary(let left):
            if case .binary(let right) = right { left == right } else { false }
        case .bitstring(let left):
            if case .bitstring(let right) = right { left == right } else { false }
        case .pid(let left):
            if case .pid(let right) = right { left == right } else { false }
        case .port(let left):
            if case .port(let right) = right { left == right } else { false }
        case .reference(let left):
            if case .reference(let right) = right { left == right } else { false }
        case .export(let left):
            if case .export(let right) = right { left == right } else { false }
        case .tuple, .list, .improperList, .map, .record, .fun: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        // A number for each case tells `{}` from `[]`, and 1 from 1.0.
        switch self {
        case .tuple(let elements): Self.hash(all: elements, 6, into: &hasher)
        case .list(let elements):
            hasher.combine(7 as UInt8)
            elements.hash(into: &hasher)
        case .improperList(let elements, let tail):
            Self.hash(all: elements, 8, into: &hasher)
            tail.hash(into: &hasher)
        case .map(let map): map.hash(into: &hasher)
        case .fun(let fun): fun.hash(into: &hasher)
        case .record(let record): record.hash(into: &hasher)
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .port, .reference,
            .export:
            hashLeaf(into: &hasher)
        }
    }

    private static func hash(all elements: [Term], _ kind: UInt8, into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(elements.count)
        for element in elements { element.hash(into: &hasher) }
    }

    private func hashLeaf(into hasher: inout Hasher) {
        switch self {
        case .integer(let value): Self.hash(value, 0, into: &hasher)
        case .bigInteger(let value): Self.hash(value, 1, into: &hasher)
        case .float(let value): Self.hash(value.bitPattern, 2, into: &hasher)
        case .atom(let value): Self.hash(value, 3, into: &hasher)
        case .binary(let value): Self.hash(value, 4, into: &hasher)
        case .bitstring(let value): Self.hash(value, 5, into: &hasher)
        case .pid(let value): Self.hash(value, 10, into: &hasher)
        case .port(let value): Self.hash(value, 11, into: &hasher)
        case .reference(let value): Self.hash(value, 12, into: &hasher)
        case .export(let value): Self.hash(value, 13, into: &hasher)
        case .tuple, .list, .improperList, .map, .record, .fun: break
        }
    }

    @inline(__always)
    private static func hash(_ value: some Hashable, _ kind: UInt8, into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(value)
    }
}

extension Term: Hashable {
    /// Erlang's `=:=` as of OTP 27.
    public static func == (left: Term, right: Term) -> Bool {
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
        case .tuple(let left):
            if case .tuple(let right) = right { left == right } else { false }
        case .list(let left):
            if case .list(let right) = right { left == right } else { false }
        case .improperList(let left, let leftTail):
            if case .improperList(let right, let rightTail) = right {
                left == right && leftTail == rightTail
            } else {
                false
            }
        case .map(let left):
            if case .map(let right) = right { left == right } else { false }
        case .pid(let left):
            if case .pid(let right) = right { left == right } else { false }
        case .port(let left):
            if case .port(let right) = right { left == right } else { false }
        case .reference(let left):
            if case .reference(let right) = right { left == right } else { false }
        case .fun(let left):
            if case .fun(let right) = right { left == right } else { false }
        case .export(let left):
            if case .export(let right) = right { left == right } else { false }
        }
    }

    public func hash(into hasher: inout Hasher) {
        // A number per case keeps `{}` and `[]`, or 1 and 1.0, apart.
        switch self {
        case .integer(let value):
            hasher.combine(0 as UInt8)
            hasher.combine(value)
        case .bigInteger(let value):
            hasher.combine(1 as UInt8)
            hasher.combine(value)
        case .float(let value):
            hasher.combine(2 as UInt8)
            hasher.combine(value.bitPattern)
        case .atom(let value):
            hasher.combine(3 as UInt8)
            hasher.combine(value)
        case .binary(let value):
            hasher.combine(4 as UInt8)
            hasher.combine(value)
        case .bitstring(let value):
            hasher.combine(5 as UInt8)
            hasher.combine(value)
        case .tuple(let value):
            hasher.combine(6 as UInt8)
            hasher.combine(value)
        case .list(let value):
            hasher.combine(7 as UInt8)
            hasher.combine(value)
        case .improperList(let value, let tail):
            hasher.combine(8 as UInt8)
            hasher.combine(value)
            hasher.combine(tail)
        case .map(let value):
            hasher.combine(9 as UInt8)
            hasher.combine(value)
        case .pid(let value):
            hasher.combine(10 as UInt8)
            hasher.combine(value)
        case .port(let value):
            hasher.combine(11 as UInt8)
            hasher.combine(value)
        case .reference(let value):
            hasher.combine(12 as UInt8)
            hasher.combine(value)
        case .fun(let value):
            hasher.combine(13 as UInt8)
            hasher.combine(value)
        case .export(let value):
            hasher.combine(14 as UInt8)
            hasher.combine(value)
        }
    }
}

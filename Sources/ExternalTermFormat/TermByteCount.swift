/// Counts the bytes that terms take, so that they are written in one go into memory of that size.
///
/// Source: "External Term Format", erl_ext_dist; `encode_size_struct` in OTP's `external.c`.
enum EncodedByteCount {
    /// How many bytes a term takes, without the version number.
    static func of(_ term: UnsafePointer<Term>) -> Int {
        switch unsafe TermContent(of: term) {
        case .integer(let value): of(value)
        case .atom(let low, let high): 2 + Atom.inlineByteCount(low: low, high: high)
        case .float: 9
        case .binary(let bytes): 5 + bytes.count
        case .tuple(let elements): unsafe (elements.count <= 255 ? 2 : 5) + ofAll(elements)
        case .list(let elements): unsafe ofList(elements)
        case .integers(let integers): unsafe ofList(integers)
        case .map(let pairs): unsafe 5 + ofAll(pairs)
        case .pid(let low, let high, _, _, _):
            15 + Atom.inlineByteCount(low: low, high: high)
        case .other: unsafe ofOther(term.pointee)
        }
    }

    static func ofAll(_ terms: UnsafeBufferPointer<Term>) -> Int {
        var sum = 0
        guard let start = terms.baseAddress else { return 0 }
        for index in 0..<terms.count { sum += unsafe of(start + index) }
        return sum
    }

    @inline(__always)
    static func of(_ value: Int) -> Int {
        if UInt(bitPattern: value) <= 255 { return 2 }
        if Int(Int32(truncatingIfNeeded: value)) == value { return 5 }
        return 3 + value.magnitudeByteCount
    }

    private static func ofList(_ elements: UnsafeBufferPointer<Term>) -> Int {
        if elements.isEmpty { return 1 }
        if unsafe elements.isString { return 3 + elements.count }
        return unsafe 6 + ofAll(elements)
    }

    private static func ofList(_ integers: UnsafeBufferPointer<Int>) -> Int {
        if integers.isEmpty { return 1 }
        if unsafe integers.isString { return 3 + integers.count }
        return unsafe integers.reduce(6) { $0 + of($1) }
    }

    /// The rare terms. This function recurses, so it leaves what would need room in its frame to
    /// others: see `TermParser`.
    @inline(never)
    private static func ofOther(_ term: Term) -> Int {
        switch term {
        case .improperList(let elements, let tail): 5 + ofAll(elements) + of(tail)
        case .fun: ofFun(term)
        case .record: ofRecord(term)
        case .bigInteger, .atom, .bitstring, .pid, .port, .reference, .export: ofLeaf(term)
        case .integer, .float, .binary, .tuple, .list, .map:
            preconditionFailure("It is one of the frequent terms")
        }
    }

    @inline(never)
    private static func ofRecord(_ term: Term) -> Int {
        guard case .record(let record) = term else { preconditionFailure("It is a record") }
        return of(record) + ofAll(record.values)
    }

    @inline(never)
    private static func ofFun(_ term: Term) -> Int {
        guard case .fun(let fun) = term else { preconditionFailure("It is a fun") }
        return of(fun) + ofAll(fun.freeVariables)
    }

    @inline(never)
    private static func ofLeaf(_ term: Term) -> Int {
        switch term {
        case .bigInteger(let value):
            (value.littleEndianMagnitude.count <= 255 ? 3 : 6) + value.littleEndianMagnitude.count
        case .atom(let atom): of(atom)
        case .bitstring(let bits): 6 + bits.bytes.count
        case .pid(let pid): 13 + of(pid.node)
        case .port(let port): (port.isNarrow ? 9 : 13) + of(port.node)
        case .reference(let reference): 7 + of(reference.node) + 4 * Int(reference.count)
        case .export(let export): 3 + of(export.module) + of(export.function)
        case .integer, .float, .binary, .tuple, .list, .improperList, .map, .record,
            .fun:
            preconditionFailure("It is no seldom leaf")
        }
    }

    private static func of(_ term: Term) -> Int {
        unsafe withUnsafePointer(to: term) { unsafe of($0) }
    }

    private static func ofAll(_ terms: [Term]) -> Int {
        unsafe terms.withUnsafeBufferPointer { unsafe ofAll($0) }
    }

    private static func of(_ atom: Atom) -> Int {
        let count = atom.utf8Count
        return (count <= 255 ? 2 : 3) + count
    }

    /// A record without its values.
    private static func of(_ record: Record) -> Int {
        record.keys.reduce(6 + of(record.module) + of(record.name)) { $0 + of($1) }
    }

    /// A fun without its free variables.
    private static func of(_ fun: Fun) -> Int {
        30 + of(fun.module) + of(fun.oldIndex) + of(fun.oldUniq) + 13 + of(fun.pid.node)
    }
}

extension Int {
    /// How many bytes the magnitude of the number has.
    @inline(__always)
    var magnitudeByteCount: Int { (Self.bitWidth - magnitude.leadingZeroBitCount + 7) / 8 }
}

extension Port {
    /// Whether the id fits into the form of 28 bits, which OTP uses where it can:
    /// `ERTS_MAX_V3_PORT_NUMBER`.
    var isNarrow: Bool { id < 1 << 28 }
}

extension UnsafeBufferPointer<Term> {
    /// Whether a list of these has the compact form.
    var isString: Bool {
        guard count <= Int(UInt16.max), let start = baseAddress else { return false }
        for index in 0..<count {
            guard case .integer(0...255) = unsafe start[index] else { return false }
        }
        return true
    }
}

extension UnsafeBufferPointer<Int> {
    /// Whether a list of these has the compact form.
    var isString: Bool {
        guard count <= Int(UInt16.max) else { return false }
        // There is no early exit, so that one instruction can look at several integers.
        let union = unsafe reduce(0) { $0 | UInt(bitPattern: $1) }
        return union <= 255
    }
}

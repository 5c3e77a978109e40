/// Reads terms from a span of bytes, with the bounds of one ``DecodingLimits``.
///
/// It is recursive, one level per container; the depth bound keeps that within any thread's stack. The
/// functions that recurse hold little else, because in a debug build every variable of every case has its own
/// place in the frame.
struct TermParser {
    var reader: ByteReader
    let limits: DecodingLimits
    /// What `ATOM_CACHE_REF` means in this message.
    let atoms: [Atom]
    /// How many more terms may come.
    private var termBudget: Int
    /// How many terms the containers that are being read still wait for. Each takes a byte at least, so a count
    /// that does not fit beside them is a lie, and no more is ever reserved than the bytes at hand can fill.
    private var awaitedTerms = 0

    init(offset: Int, limits: DecodingLimits, atoms: [Atom] = []) {
        self.reader = ByteReader(offset: offset)
        self.limits = limits
        self.atoms = atoms
        self.termBudget = 0
    }

    /// One term, which may be compressed if the limits allow it.
    mutating func topLevelTerm(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        termBudget = limits.maximumTerms
        awaitedTerms = 0
        if reader.offset < bytes.count, bytes[reader.offset] == Tag.compressed {
            return try compressedTerm(bytes)
        }
        return try term(bytes, depth: 0)
    }

    private mutating func compressedTerm(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        guard limits.allowsCompressed else { throw .compressedNotAllowed }
        _ = try reader.uint8(bytes)
        let inflated = try Inflation.inflate(bytes, at: &reader, limits: limits)
        var inner = TermParser(offset: 0, limits: limits, atoms: atoms)
        inner.termBudget = termBudget
        let span = inflated.span
        let term = try inner.term(span, depth: 0)
        let unused = inner.reader.remaining(in: span)
        guard unused == 0 else { throw .trailingBytes(count: unused) }
        return term
    }

    private mutating func term(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let tag = try reader.uint8(bytes)
        guard termBudget > 0 else { throw .tooManyTerms(maximum: limits.maximumTerms) }
        termBudget &-= 1
        switch tag {
        case Tag.smallInteger:
            return .integer(Int(try reader.uint8(bytes)))
        case Tag.integer:
            return .integer(Int(Int32(truncatingIfNeeded: try reader.uint32(bytes))))
        case Tag.smallAtomUTF8:
            return .atom(try utf8Atom(Int(reader.uint8(bytes)), bytes))
        case Tag.nil:
            return .list([])
        case Tag.binary:
            let count = Int(try reader.uint32(bytes))
            return .binary(try reader.array(count, in: bytes))
        case Tag.smallTuple:
            return try tuple(Int(try reader.uint8(bytes)), bytes, depth: depth)
        case Tag.largeTuple:
            return try tuple(Int(try reader.uint32(bytes)), bytes, depth: depth)
        case Tag.list:
            return try list(bytes, depth: depth)
        case Tag.map:
            return try map(bytes, depth: depth)
        case Tag.newFun:
            return try fun(bytes, depth: depth)
        default:
            return try leaf(tag, bytes)
        }
    }
}

// MARK: - Containers

extension TermParser {
    private mutating func tuple(
        _ count: Int, _ bytes: Span<UInt8>, depth: Int
    ) throws(TermError) -> Term {
        .tuple(try elements(count, bytes, depth: depth))
    }

    private mutating func elements(
        _ count: Int, _ bytes: Span<UInt8>, depth: Int
    ) throws(TermError) -> [Term] {
        try enter(depth, awaiting: count, bytes)
        var elements: [Term] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            awaitedTerms &-= 1
            elements.append(try term(bytes, depth: depth &+ 1))
        }
        return elements
    }

    /// Takes `count` terms off the budget.
    mutating func spend(_ count: Int) throws(TermError) {
        guard count <= termBudget else { throw .tooManyTerms(maximum: limits.maximumTerms) }
        termBudget &-= count
    }

    /// Takes note of `count` terms to come, one level down.
    private mutating func enter(
        _ depth: Int, awaiting count: Int, _ bytes: Span<UInt8>
    ) throws(TermError) {
        guard depth < limits.maximumDepth else { throw .tooDeep(maximum: limits.maximumDepth) }
        guard count <= reader.remaining(in: bytes) &- awaitedTerms else { throw .truncated }
        guard count <= termBudget else { throw .tooManyTerms(maximum: limits.maximumTerms) }
        awaitedTerms &+= count
    }

    /// The elements and the tail of a list. A tail that is a list again continues this one: joining level by
    /// level would copy quadratically.
    private mutating func list(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        var elements: [Term] = []
        while true {
            let count = Int(try reader.uint32(bytes))
            let awaited = awaitedTerms
            if elements.isEmpty {
                elements = try self.elements(count, bytes, depth: depth)
            } else {
                elements += try self.elements(count, bytes, depth: depth)
            }
            assert(awaitedTerms == awaited)
            guard reader.offset < bytes.count else { throw .truncated }
            switch bytes[reader.offset] {
            case Tag.nil:
                reader.offset &+= 1
                return .list(elements)
            case Tag.list:
                reader.offset &+= 1
            default:
                return .list(elements, tail: try term(bytes, depth: depth &+ 1))
            }
        }
    }

    private mutating func map(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let count = Int(try reader.uint32(bytes))
        try enter(depth, awaiting: count &* 2, bytes)
        var pairs: [(key: Term, value: Term)] = []
        pairs.reserveCapacity(count)
        for _ in 0..<count {
            awaitedTerms &-= 1
            let key = try term(bytes, depth: depth &+ 1)
            awaitedTerms &-= 1
            pairs.append((key: key, value: try term(bytes, depth: depth &+ 1)))
        }
        let map = TermMap(pairs)
        if let key = map.repeatedKey { throw .repeatedKey(key) }
        return .map(map)
    }

    /// The size in front is not looked at, as in OTP's `dec_term`: the parts say where the fun ends.
    private mutating func fun(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        _ = try reader.uint32(bytes)
        let arity = try reader.uint8(bytes)
        let uniq = try reader.array(16, in: bytes)
        let index = try reader.uint32(bytes)
        let freeCount = Int(try reader.uint32(bytes))
        let module = try atom(bytes)
        let oldIndex = try smallInteger(bytes)
        let oldUniq = try smallInteger(bytes)
        let creator = try pid(try reader.uint8(bytes), bytes)
        let freeVariables = try elements(freeCount, bytes, depth: depth)
        return .fun(
            Fun(
                arity: arity, uniq: uniq, index: index, module: module, oldIndex: oldIndex,
                oldUniq: oldUniq, pid: creator, freeVariables: freeVariables))
    }

    private mutating func smallInteger(_ bytes: Span<UInt8>) throws(TermError) -> Int {
        switch try leaf(try reader.uint8(bytes), bytes) {
        case .integer(let value): return value
        case .bigInteger, .float, .atom, .binary, .bitstring, .tuple, .list, .improperList, .map,
            .pid, .port, .reference, .fun, .export:
            throw .invalidFun
        }
    }
}

/// Reads terms from a span of bytes, with the bounds of one ``DecodingLimits``.
///
/// It is recursive, with one level for each container. The depth limit keeps it within any thread's
/// stack. The recursive functions contain little else, because in a debug build every variable of
/// every case has its own place in the frame.
struct TermParser {
    var reader: ByteReader
    let limits: DecodingLimits
    /// The atoms that `ATOM_CACHE_REF` means in this message.
    let atoms: [Atom]
    /// The array that contains the span's bytes, if binaries may share them.
    let owner: [UInt8]?
    /// How many more terms may come.
    private var termBudget: Int
    /// How many terms the unfinished containers still expect. Each takes at least a byte, so a
    /// count for which too few bytes are left is a lie. So no more memory is reserved than the
    /// bytes at hand can fill.
    private var awaitedTerms = 0
    /// How many more bytes of keys that are not scalars may be hashed to find repeated keys. A key
    /// is hashed with all its contents, so in keys of keys the innermost bytes are hashed once for
    /// each level.
    private var keyBudget = 0

    init(
        offset: Int, limits: DecodingLimits, atoms: [Atom] = [], owner: [UInt8]? = nil
    ) {
        self.reader = ByteReader(offset: offset)
        self.limits = limits
        self.atoms = atoms
        self.owner = owner
        self.termBudget = 0
    }

    /// Reads one term, which may be compressed if the limits allow that.
    mutating func topLevelTerm(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        termBudget = limits.maximumTerms
        awaitedTerms = 0
        keyBudget = keyBudget(byteCount: reader.remaining(in: bytes))
        if reader.offset < bytes.count, bytes[reader.offset] == Tag.compressed {
            return try compressedTerm(bytes)
        }
        return try term(bytes, depth: 0)
    }

    private mutating func compressedTerm(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        guard limits.allowsCompressed else { throw .compressedNotAllowed }
        _ = try reader.uint8(bytes)
        let inflated = try Inflation.inflate(bytes, at: &reader, limits: limits)
        var inner = TermParser(offset: 0, limits: limits, atoms: atoms, owner: inflated)
        inner.termBudget = termBudget
        inner.keyBudget = keyBudget(byteCount: inflated.count)
        let span = inflated.span
        let term = try inner.term(span, depth: 0)
        let unused = inner.reader.remaining(in: span)
        guard unused == 0 else { throw .trailingBytes(count: unused) }
        return term
    }

    /// Enough to hash each byte four times, and for any nesting in short messages. Where
    /// ``DecodingLimits/countsBytes`` is set, no more than takes some ten milliseconds.
    private func keyBudget(byteCount: Int) -> Int {
        let budget = 1 << 20 + 4 &* byteCount
        return limits.countsBytes ? min(budget, 8 << 20) : budget
    }

    private mutating func term(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let tag = try reader.uint8(bytes)
        try spend(1)
        switch tag {
        case Tag.smallTuple:
            return .tuple(try elements(Int(try reader.uint8(bytes)), bytes, depth: depth))
        case Tag.largeTuple:
            return .tuple(try elements(Int(try reader.uint32(bytes)), bytes, depth: depth))
        case Tag.list:
            return try list(bytes, depth: depth)
        case Tag.map:
            return try map(bytes, depth: depth)
        case Tag.newFun:
            return try fun(bytes, depth: depth)
        case Tag.record:
            return try record(bytes, depth: depth)
        default:
            return try leaf(tag, bytes)
        }
    }

    /// Takes `count` terms off the budget.
    @inline(__always)
    mutating func spend(_ count: Int) throws(TermError) {
        guard count <= termBudget else { throw .tooManyTerms(maximum: limits.maximumTerms) }
        termBudget &-= count
    }

    /// Takes the cost of `count` copied bytes off the budget, if bytes count.
    @inline(__always)
    mutating func spend(byteCount count: Int) throws(TermError) {
        if limits.countsBytes { try spend(1 &+ count / 64) }
    }
}

// MARK: - Containers

extension TermParser {
    private mutating func elements(
        _ count: Int, _ bytes: Span<UInt8>, depth: Int
    ) throws(TermError) -> [Term] {
        try enter(depth, awaiting: count, bytes)
        // The standard library does not specialise the initialiser that fills an array's memory in
        // place: getting memory that way costs more than appending.
        var elements: [Term] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try awaited(bytes, depth: depth)) }
        return elements
    }

    /// Reads a term inside a container of that depth.
    @inline(__always)
    private mutating func awaited(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        awaitedTerms &-= 1
        return try term(bytes, depth: depth &+ 1)
    }

    /// Registers that `count` terms follow, one level down.
    private mutating func enter(
        _ depth: Int, awaiting count: Int, _ bytes: Span<UInt8>
    ) throws(TermError) {
        guard depth < limits.maximumDepth else { throw .tooDeep(maximum: limits.maximumDepth) }
        guard count <= reader.remaining(in: bytes) &- awaitedTerms else { throw .truncated }
        guard count <= termBudget else { throw .tooManyTerms(maximum: limits.maximumTerms) }
        awaitedTerms &+= count
    }

    private mutating func list(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let count = Int(try reader.uint32(bytes))
        if let integers = integers(count, bytes, depth: depth) {
            return .list(TermList(integers: integers))
        }
        let elements = try elements(count, bytes, depth: depth)
        if reader.offset < bytes.count, bytes[reader.offset] == Tag.nil {
            reader.offset &+= 1
            return .list(elements)
        }
        return try list(elements, bytes, depth: depth)
    }

    /// Reads a list whose tail is not nil. A tail that is a list again continues this one: joining
    /// level by level would take quadratic time.
    private mutating func list(
        _ first: [Term], _ bytes: Span<UInt8>, depth: Int
    ) throws(TermError) -> Term {
        var elements = first
        while reader.offset < bytes.count, bytes[reader.offset] == Tag.list {
            reader.offset &+= 1
            elements += try self.elements(Int(try reader.uint32(bytes)), bytes, depth: depth)
        }
        return .list(elements, tail: try term(bytes, depth: depth &+ 1))
    }

    /// Reads the elements and the end of a proper list that contains only integers of up to 32
    /// bits; `nil` for any other list, and then the position stays.
    private mutating func integers(
        _ count: Int, _ bytes: Span<UInt8>, depth: Int
    ) -> [Int]? {
        // If something is wrong with the list, the functions that read any list report it.
        let cost = (count &+ limits.integersPerTerm &- 1) / limits.integersPerTerm
        guard depth < limits.maximumDepth, cost <= termBudget,
            count <= reader.remaining(in: bytes) &- awaitedTerms,
            let run = IntegerRun(count, at: reader.offset, in: bytes)
        else { return nil }
        reader.offset = run.end &+ 1
        termBudget &-= cost
        return run.integers(in: bytes)
    }

    private mutating func map(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let count = Int(try reader.uint32(bytes))
        let map = TermMap(keysAndValues: try elements(count &* 2, bytes, depth: depth))
        try checkKeys(of: map)
        return .map(map)
    }

    private mutating func record(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let head = try recordHead(bytes)
        return .record(
            Record(head, values: try elements(head.keys.count, bytes, depth: depth)))
    }

    /// Reads what precedes the values: their number, the flags, the module, the name, the keys.
    @inline(never)
    private mutating func recordHead(_ bytes: Span<UInt8>) throws(TermError) -> Record {
        let count = Int(try reader.uint32(bytes))
        let flags = try reader.uint8(bytes)
        let module = try atom(bytes)
        let name = try atom(bytes)
        // A key and a value take at least a byte each.
        guard count <= reader.remaining(in: bytes) / 2 else { throw .truncated }
        try spend(count)
        var keys: [Atom] = []
        for _ in 0..<count { keys.append(try atom(bytes)) }
        return Record(module: module, name: name, flags: flags, keys: keys, values: [])
    }

    /// Kept apart from the recursion, so that its frames stay small.
    @inline(never)
    private mutating func checkKeys(of map: TermMap) throws(TermError) {
        let key = try map.repeatedKey { () throws(TermError) in
            keyBudget &-= map.containerKeyByteCount
            guard keyBudget >= 0 else { throw .keysTooComplex }
        }
        if let key { throw .repeatedKey(key) }
    }

    private mutating func fun(_ bytes: Span<UInt8>, depth: Int) throws(TermError) -> Term {
        let (count, head) = try funHead(bytes)
        return .fun(Fun(head, freeVariables: try elements(count, bytes, depth: depth)))
    }

    /// Reads what precedes the free variables, and their number.
    ///
    /// As in OTP's `dec_term` the size in front is ignored: the parts show where the fun ends.
    private mutating func funHead(
        _ bytes: Span<UInt8>
    ) throws(TermError) -> (freeCount: Int, head: Fun) {
        _ = try reader.uint32(bytes)
        let arity = try reader.uint8(bytes)
        let uniq = try reader.array(16, in: bytes)
        let index = try reader.uint32(bytes)
        let freeCount = Int(try reader.uint32(bytes))
        let module = try atom(bytes)
        let oldIndex = try smallInteger(bytes)
        let oldUniq = try smallInteger(bytes)
        let pid = try pid(try reader.uint8(bytes), bytes)
        let head = Fun(
            arity: arity, uniq: uniq, index: index, module: module, oldIndex: oldIndex,
            oldUniq: oldUniq, pid: pid, freeVariables: [])
        return (freeCount, head)
    }

    private mutating func smallInteger(_ bytes: Span<UInt8>) throws(TermError) -> Int {
        switch try leaf(try reader.uint8(bytes), bytes) {
        case .integer(let value): return value
        case .bigInteger, .float, .atom, .binary, .bitstring, .tuple, .list, .improperList, .map,
            .pid, .port, .reference, .record, .fun, .export:
            throw .invalidFun
        }
    }
}

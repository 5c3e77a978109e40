// The terms that contain no others. Nothing here recurses, so frames may be large.

extension TermParser {
    /// Reads a term without elements, after its tag. The frequent ones come first.
    mutating func leaf(_ tag: UInt8, _ bytes: Span<UInt8>) throws(TermError) -> Term {
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
            return .binary(try binary(Int(try reader.uint32(bytes)), bytes))
        default:
            return try rareLeaf(tag, bytes)
        }
    }

    @inline(never)
    private mutating func rareLeaf(_ tag: UInt8, _ bytes: Span<UInt8>) throws(TermError) -> Term {
        switch tag {
        case Tag.newFloat:
            return .float(try finite(Double(bitPattern: try reader.uint64(bytes))))
        case Tag.float:
            return .float(try decimalFloat(bytes))
        case Tag.smallBig:
            return try bigInteger(Int(try reader.uint8(bytes)), bytes)
        case Tag.largeBig:
            return try bigInteger(Int(try reader.uint32(bytes)), bytes)
        case Tag.string:
            return try string(bytes)
        case Tag.bitBinary:
            return try bitBinary(bytes)
        case Tag.atomUTF8, Tag.atom, Tag.smallAtom, Tag.atomCacheReference:
            return .atom(try atom(tag, bytes))
        case Tag.newPID, Tag.pid:
            return .pid(try pid(tag, bytes))
        case Tag.newPort, Tag.v4Port, Tag.port:
            return .port(try port(tag, bytes))
        case Tag.newerReference, Tag.newReference, Tag.reference:
            return .reference(try reference(tag, bytes))
        case Tag.export:
            return .export(try export(bytes))
        default:
            throw .unexpectedTag(tag)
        }
    }

    // MARK: Numbers

    private func finite(_ value: Double) throws(TermError) -> Double {
        guard value.isFinite else { throw .invalidFloat }
        return value
    }

    /// Reads a `FLOAT_EXT`: 31 bytes of `"%.20e"`, filled up with zeros.
    private mutating func decimalFloat(_ bytes: Span<UInt8>) throws(TermError) -> Double {
        let text = try reader.array(31, in: bytes).prefix { $0 != 0 }
        // Swift would also read "inf", "nan" and hexadecimal floats.
        let allowed = text.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                true
            default: false
            }
        }
        guard allowed, let value = Double(String(decoding: text, as: UTF8.self)) else {
            throw .invalidFloat
        }
        return try finite(value)
    }

    private mutating func bigInteger(
        _ count: Int, _ bytes: Span<UInt8>
    ) throws(TermError) -> Term {
        let isNegative = try reader.uint8(bytes) != 0
        try spend(byteCount: count)
        return Term(
            BigInteger(
                isNegative: isNegative,
                littleEndianMagnitude: try reader.array(count, in: bytes)))
    }

    // MARK: Bytes and bits

    /// Reads a list of bytes in its compact form.
    private mutating func string(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        let count = Int(try reader.uint16(bytes))
        let range = try reader.skip(count, in: bytes)
        try spend((count &+ limits.integersPerTerm &- 1) / limits.integersPerTerm)
        let text = bytes.extracting(range)
        let integers = unsafe text.withUnsafeBufferPointer { unsafe $0.map { Int($0) } }
        return .list(TermList(integers: integers))
    }

    @inline(__always)
    private mutating func binary(_ count: Int, _ bytes: Span<UInt8>) throws(TermError) -> Binary {
        if let owner, Binary.sharesPart(count, of: owner) {
            return Binary(partOf: owner, try reader.skip(count, in: bytes))
        }
        if count >= 64 { try spend(byteCount: count) }
        return Binary(try reader.array(count, in: bytes))
    }

    private mutating func bitBinary(_ bytes: Span<UInt8>) throws(TermError) -> Term {
        let count = Int(try reader.uint32(bytes))
        let lastBitCount = try reader.uint8(bytes)
        try spend(byteCount: count)
        let content = try reader.array(count, in: bytes)
        switch (count, lastBitCount) {
        case (0, 0), (1..., 8): return .binary(content)
        case (1..., 1...7):
            return .bitstring(Bitstring(bytes: content, lastBitCount: Int(lastBitCount)))
        default: throw .invalidBitstring(lastBitCount: lastBitCount)
        }
    }

    // MARK: Atoms

    /// Reads an atom with its tag, as inside identifiers.
    mutating func atom(_ bytes: Span<UInt8>) throws(TermError) -> Atom {
        try atom(try reader.uint8(bytes), bytes)
    }

    private mutating func atom(_ tag: UInt8, _ bytes: Span<UInt8>) throws(TermError) -> Atom {
        switch tag {
        case Tag.smallAtomUTF8: return try utf8Atom(Int(try reader.uint8(bytes)), bytes)
        case Tag.atomUTF8: return try utf8Atom(Int(try reader.uint16(bytes)), bytes)
        case Tag.smallAtom: return try latin1Atom(Int(try reader.uint8(bytes)), bytes)
        case Tag.atom: return try latin1Atom(Int(try reader.uint16(bytes)), bytes)
        case Tag.atomCacheReference:
            let index = Int(try reader.uint8(bytes))
            guard index < atoms.count else { throw .unknownAtomReference(index) }
            return atoms[index]
        default: throw .unexpectedTag(tag)
        }
    }

    private mutating func utf8Atom(
        _ count: Int, _ bytes: Span<UInt8>
    ) throws(TermError) -> Atom {
        if count <= Atom.inlineCapacity, let (low, high) = reader.peekWords(bytes),
            let atom = Atom(asciiLow: low, high: high, count: count)
        {
            reader.offset &+= count
            return atom
        }
        return try anyAtom(count, bytes)
    }

    @inline(never)
    private mutating func anyAtom(_ count: Int, _ bytes: Span<UInt8>) throws(TermError) -> Atom {
        let name = bytes.extracting(try reader.skip(count, in: bytes))
        try spend(byteCount: count)
        do {
            let text = try UTF8Span(validating: name)
            // Every character has at least one byte.
            if count > Atom.maximumLength {
                var scalars = text.makeUnicodeScalarIterator()
                guard scalars.skipForward(by: Atom.maximumLength + 1) <= Atom.maximumLength else {
                    throw TermError.atomTooLong(byteCount: count)
                }
            }
        } catch let error as TermError {
            throw error
        } catch {
            throw .invalidAtom
        }
        return Atom(validUTF8: name)
    }

    private mutating func latin1Atom(
        _ count: Int, _ bytes: Span<UInt8>
    ) throws(TermError) -> Atom {
        let name = try reader.array(count, in: bytes)
        try spend(byteCount: count)
        guard count <= Atom.maximumLength else { throw .atomTooLong(byteCount: count) }
        var text = ""
        for byte in name { text.unicodeScalars.append(Unicode.Scalar(byte)) }
        return Atom(shortEnough: text)
    }

    // MARK: Identifiers

    mutating func pid(_ tag: UInt8, _ bytes: Span<UInt8>) throws(TermError) -> PID {
        guard tag == Tag.newPID || tag == Tag.pid else { throw .unexpectedTag(tag) }
        return PID(
            node: try atom(bytes), id: try reader.uint32(bytes), serial: try reader.uint32(bytes),
            creation: try creation(isWide: tag == Tag.newPID, bytes))
    }

    private mutating func port(_ tag: UInt8, _ bytes: Span<UInt8>) throws(TermError) -> Port {
        Port(
            node: try atom(bytes),
            id: tag == Tag.v4Port
                ? try reader.uint64(bytes) : UInt64(try reader.uint32(bytes)),
            creation: try creation(isWide: tag != Tag.port, bytes))
    }

    private mutating func reference(
        _ tag: UInt8, _ bytes: Span<UInt8>
    ) throws(TermError) -> Reference {
        if tag == Tag.reference {
            let node = try atom(bytes)
            let word = try reader.uint32(bytes)
            return Reference(
                node: node, creation: try creation(isWide: false, bytes), words: [word])
        }
        let count = Int(try reader.uint16(bytes))
        guard Reference.wordCounts.contains(count) else {
            throw .invalidReference(wordCount: count)
        }
        let node = try atom(bytes)
        let creation = try creation(isWide: tag == Tag.newerReference, bytes)
        var words = ByteReader(offset: try reader.skip(count &* 4, in: bytes).lowerBound)
        return try Reference(node: node, creation: creation, count: count) {
            _ throws(TermError) in try words.uint32(bytes)
        }
    }

    private mutating func creation(
        isWide: Bool, _ bytes: Span<UInt8>
    ) throws(TermError) -> UInt32 {
        isWide ? try reader.uint32(bytes) : UInt32(try reader.uint8(bytes))
    }

    private mutating func export(_ bytes: Span<UInt8>) throws(TermError) -> Export {
        let module = try atom(bytes)
        let function = try atom(bytes)
        // The arity is a term of its own, always a small integer.
        let tag = try reader.uint8(bytes)
        guard tag == Tag.smallInteger else { throw .unexpectedTag(tag) }
        return Export(module: module, function: function, arity: try reader.uint8(bytes))
    }
}

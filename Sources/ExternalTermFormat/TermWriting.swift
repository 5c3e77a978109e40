// How each kind of term is written. The functions that recurse hold little else: see `TermParser`.

extension ByteSink {
    mutating func append(_ term: Term) {
        switch term {
        case .tuple(let elements): appendTuple(elements)
        case .list(let elements): appendList(elements)
        case .map(let map): append(map)
        case .improperList(let elements, let tail): appendList(elements, tail: tail)
        case .fun(let fun): append(fun)
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .port, .reference,
            .export:
            appendLeaf(term)
        }
    }

    // MARK: Containers

    private mutating func appendTuple(_ elements: [Term]) {
        if let count = UInt8(exactly: elements.count) {
            append(Tag.smallTuple, count)
        } else {
            append(Tag.largeTuple, UInt32(elements.count))
        }
        appendAll(elements)
    }

    private mutating func appendAll(_ elements: [Term]) {
        // Iterating the array itself would retain every element.
        let span = elements.span
        for index in span.indices where !appendQuickly(span[index]) { append(span[index]) }
    }

    /// The frequent terms without elements, without the retain and release that others cost.
    @inline(__always)
    private mutating func appendQuickly(_ term: borrowing Term) -> Bool {
        switch term {
        case .integer(let value):
            appendInteger(value)
            return true
        case .atom(let atom):
            guard case .inline(let low, let first, let second, let third) = atom.storage else {
                return false
            }
            appendInline(low: low, high: Atom.highWord(first, second, third))
            return true
        case .float(let value):
            append(value)
            return true
        case .binary(let content):
            append(content: content)
            return true
        case .bigInteger, .bitstring, .tuple, .list, .improperList, .map, .pid,
            .port, .reference, .fun, .export:
            return false
        }
    }

    private mutating func appendList(_ elements: [Term]) {
        if elements.isEmpty {
            append(Tag.nil)
        } else if !appendString(elements) {
            append(Tag.list, UInt32(elements.count))
            appendAll(elements)
            append(Tag.nil)
        }
    }

    /// A list of bytes in its compact form.
    private mutating func appendString(_ elements: [Term]) -> Bool {
        guard elements.count <= Int(UInt16.max), elements.allSatisfy(\.isByte) else { return false }
        append(Tag.string, UInt16(truncatingIfNeeded: elements.count))
        for case .integer(let byte) in elements { append(UInt8(truncatingIfNeeded: byte)) }
        return true
    }

    private mutating func appendList(_ elements: [Term], tail: Term) {
        append(Tag.list, UInt32(elements.count))
        appendAll(elements)
        append(tail)
    }

    private mutating func append(_ map: TermMap) {
        append(Tag.map, UInt32(map.count))
        let pairs = map.pairs.span
        for index in pairs.indices {
            if !appendQuickly(pairs[index].key) { append(pairs[index].key) }
            if !appendQuickly(pairs[index].value) { append(pairs[index].value) }
        }
    }

    private mutating func append(_ fun: Fun) {
        append(Tag.newFun)
        let start = count
        appendHead(of: fun)
        appendAll(fun.freeVariables)
        // The size counts itself.
        patch(UInt32(count - start), at: start)
    }

    private mutating func appendHead(of fun: Fun) {
        append(0 as UInt32)
        append(fun.arity)
        append(fun.uniq)
        append(fun.index)
        append(UInt32(fun.freeVariables.count))
        append(fun.module)
        appendInteger(fun.oldIndex)
        appendInteger(fun.oldUniq)
        append(fun.pid)
    }

    // MARK: Leaves

    private mutating func appendLeaf(_ term: Term) {
        switch term {
        case .integer(let value): appendInteger(value)
        case .bigInteger(let value): append(value)
        case .float(let value): append(value)
        case .atom(let atom): append(atom)
        case .binary(let content):
            append(content: content)
        case .bitstring(let content): append(content)
        case .pid(let pid): append(pid)
        case .port(let port): append(port)
        case .reference(let reference): append(reference)
        case .export(let export): append(export)
        case .tuple, .list, .improperList, .map, .fun: break
        }
    }

    private mutating func appendInteger(_ value: Int) {
        if let byte = UInt8(exactly: value) {
            append(Tag.smallInteger, byte)
        } else if let small = Int32(exactly: value) {
            append(Tag.integer, small)
        } else {
            let magnitude = value.magnitude
            let byteCount = (magnitude.bitWidth - magnitude.leadingZeroBitCount + 7) / 8
            append(
                Tag.smallBig, UInt8(truncatingIfNeeded: byteCount),
                low: UInt64(magnitude) &<< 8 | (value < 0 ? 1 : 0),
                high: UInt64(magnitude) &>> 56, byteCount: byteCount + 1)
        }
    }

    private mutating func append(_ value: BigInteger) {
        let magnitude = value.littleEndianMagnitude
        if let count = UInt8(exactly: magnitude.count) {
            append(Tag.smallBig, count)
        } else {
            append(Tag.largeBig, UInt32(magnitude.count))
        }
        append(value.isNegative ? 1 : 0 as UInt8)
        append(magnitude)
    }

    private mutating func append(_ value: Double) {
        precondition(value.isFinite, "Erlang has no infinite floats and no NaN")
        append(Tag.newFloat, value.bitPattern)
    }

    private mutating func append(_ atom: Atom) {
        switch atom.storage {
        case .inline(let low, let first, let second, let third):
            appendInline(low: low, high: Atom.highWord(first, second, third))
        case .shared(let name):
            if let count = UInt8(exactly: name.count) {
                append(Tag.smallAtomUTF8, count)
            } else {
                append(Tag.atomUTF8, UInt16(name.count))
            }
            append(name)
        }
    }

    private mutating func appendInline(low: UInt64, high: UInt64) {
        let byteCount = Atom.inlineByteCount(low: low, high: high)
        append(
            Tag.smallAtomUTF8, UInt8(truncatingIfNeeded: byteCount), low: low, high: high,
            byteCount: byteCount)
    }

    private mutating func append(content: [UInt8]) {
        append(Tag.binary, UInt32(content.count))
        append(content)
    }

    private mutating func append(_ bits: Bitstring) {
        append(Tag.bitBinary, UInt32(bits.bytes.count))
        append(UInt8(truncatingIfNeeded: bits.lastBitCount))
        append(bits.bytes)
    }

    private mutating func append(_ pid: PID) {
        append(Tag.newPID)
        append(pid.node)
        append(pid.id)
        append(pid.serial)
        append(pid.creation)
    }

    private mutating func append(_ port: Port) {
        // OTP keeps to the 28 bits that port numbers had before: `ERTS_MAX_V3_PORT_NUMBER`.
        if port.id < 1 << 28 {
            append(Tag.newPort)
            append(port.node)
            append(UInt32(truncatingIfNeeded: port.id))
        } else {
            append(Tag.v4Port)
            append(port.node)
            append(port.id)
        }
        append(port.creation)
    }

    private mutating func append(_ reference: Reference) {
        append(Tag.newerReference, UInt16(reference.count))
        append(reference.node)
        append(reference.creation)
        for word in reference.words { append(word) }
    }

    private mutating func append(_ export: Export) {
        append(Tag.export)
        append(export.module)
        append(export.function)
        // The arity is a term of its own.
        append(Tag.smallInteger, export.arity)
    }
}

extension Term {
    /// Whether it is an integer from 0 to 255.
    fileprivate var isByte: Bool {
        if case .integer(0...255) = self { true } else { false }
    }
}

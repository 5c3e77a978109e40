// How each kind of term is written. The recursive functions contain little else: see `TermParser`.

extension ByteSink {
    mutating func append(_ term: UnsafePointer<Term>) {
        switch unsafe TermContent(of: term) {
        case .integer(let value): appendInteger(value)
        case .atom(let low, let high): appendInline(low: low, high: high)
        case .float(let value): append(value)
        case .binary(let bytes):
            append(Tag.binary, UInt32(bytes.count))
            unsafe appendContent(bytes, of: term)
        case .tuple(let elements): unsafe appendTuple(elements)
        case .list(let elements): unsafe appendList(elements)
        case .integers(let integers): unsafe appendList(integers)
        case .map(let pairs):
            append(Tag.map, UInt32(pairs.count / 2))
            unsafe appendAll(pairs)
        case .pid(let low, let high, let id, let serial, let creation):
            append(Tag.newPID)
            appendInline(low: low, high: high)
            append(id)
            append(serial)
            append(creation)
        case .other: unsafe appendOther(term.pointee)
        }
    }

    /// The rare terms. This function recurses, so it leaves what would need room in its frame to
    /// others.
    @inline(never)
    private mutating func appendOther(_ term: Term) {
        switch term {
        case .improperList: appendImproperList(term)
        case .fun: appendFun(term)
        case .record: appendRecord(term)
        case .bigInteger, .atom, .bitstring, .pid, .port, .reference, .export: appendLeaf(term)
        case .integer, .float, .binary, .tuple, .list, .map:
            preconditionFailure("It is one of the frequent terms")
        }
    }

    // MARK: Containers

    private mutating func appendTuple(_ elements: UnsafeBufferPointer<Term>) {
        if let count = UInt8(exactly: elements.count) {
            append(Tag.smallTuple, count)
        } else {
            append(Tag.largeTuple, UInt32(elements.count))
        }
        unsafe appendAll(elements)
    }

    private mutating func appendAll(_ terms: UnsafeBufferPointer<Term>) {
        guard let start = terms.baseAddress else { return }
        for index in 0..<terms.count { unsafe append(start + index) }
    }

    private mutating func appendAll(_ terms: [Term]) {
        unsafe terms.withUnsafeBufferPointer { unsafe appendAll($0) }
    }

    private mutating func appendList(_ elements: UnsafeBufferPointer<Term>) {
        if elements.isEmpty {
            append(Tag.nil)
        } else if unsafe elements.isString {
            append(Tag.string, UInt16(truncatingIfNeeded: elements.count))
            for index in elements.indices {
                if case .integer(let byte) = unsafe elements[index] {
                    append(UInt8(truncatingIfNeeded: byte))
                }
            }
        } else {
            append(Tag.list, UInt32(elements.count))
            unsafe appendAll(elements)
            append(Tag.nil)
        }
    }

    private mutating func appendList(_ integers: UnsafeBufferPointer<Int>) {
        if integers.isEmpty {
            append(Tag.nil)
        } else if unsafe integers.isString {
            append(Tag.string, UInt16(truncatingIfNeeded: integers.count))
            for index in integers.indices {
                unsafe append(UInt8(truncatingIfNeeded: integers[index]))
            }
        } else {
            append(Tag.list, UInt32(integers.count))
            for index in integers.indices { unsafe appendInteger(integers[index]) }
            append(Tag.nil)
        }
    }

    @inline(never)
    private mutating func appendImproperList(_ term: Term) {
        guard case .improperList(let elements, let tail) = term else {
            preconditionFailure("It is an improper list")
        }
        append(Tag.list, UInt32(elements.count))
        appendAll(elements)
        unsafe withUnsafePointer(to: tail) { unsafe append($0) }
    }

    @inline(never)
    private mutating func appendRecord(_ term: Term) {
        guard case .record(let record) = term else { preconditionFailure("It is a record") }
        appendHead(of: record)
        appendAll(record.values)
    }

    private mutating func appendHead(of record: Record) {
        append(Tag.record, UInt32(record.keys.count))
        append(record.flags)
        append(record.module)
        append(record.name)
        for key in record.keys { append(key) }
    }

    @inline(never)
    private mutating func appendFun(_ term: Term) {
        guard case .fun(let fun) = term else { preconditionFailure("It is a fun") }
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
        case .bigInteger(let value): append(value)
        case .atom(let atom): append(atom)
        case .bitstring(let content): append(content)
        case .pid(let pid): append(pid)
        case .port(let port): append(port)
        case .reference(let reference): append(reference)
        case .export(let export): append(export)
        case .integer, .float, .binary, .tuple, .list, .improperList, .map, .record,
            .fun:
            preconditionFailure("It is no seldom leaf")
        }
    }

    private mutating func appendInteger(_ value: Int) {
        if let byte = UInt8(exactly: value) {
            append(Tag.smallInteger, byte)
        } else if let small = Int32(exactly: value) {
            append(Tag.integer, small)
        } else {
            let magnitude = value.magnitude
            let byteCount = value.magnitudeByteCount
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
        if port.isNarrow {
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

/// Writes terms one after the other, as for a distribution frame that is built in place.
///
/// ```swift
/// var frame = TermEncoder()
/// let length = frame.appendLengthPlaceholder()
/// frame.bytes.append(112)
/// frame.appendVersionByte()
/// frame.append(control)
/// frame.patchLength(at: length)
/// ```
/// The bytes are those of OTP's encoder, with the UTF-8 atom tags that it uses between nodes. (OTP 25's
/// `term_to_binary/1` still writes Latin-1 atoms unless asked for `{minor_version, 2}`.)
///
/// Source: "External Term Format", erl_ext_dist; `enc_term` in OTP's `external.c`.
public struct TermEncoder: Sendable {
    public var bytes: [UInt8]

    /// An encoder that continues after `bytes`.
    public init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// Appends the version number 131.
    public mutating func appendVersionByte() {
        bytes.append(Tag.version)
    }

    /// Appends a term without a version number.
    /// - Precondition: floats are finite, and atoms have no more than 65535 bytes.
    public mutating func append(_ term: Term) {
        switch term {
        case .integer(let value): append(value)
        case .bigInteger(let value): append(value)
        case .float(let value): append(value)
        case .atom(let atom): append(atom)
        case .binary(let content):
            bytes.append(Tag.binary)
            append32(content.count)
            bytes.append(contentsOf: content)
        case .bitstring(let content): append(content)
        case .tuple(let elements): appendTuple(elements)
        case .list(let elements): appendList(elements)
        case .improperList(let elements, let tail): appendList(elements, tail: tail)
        case .map(let map): append(map)
        case .pid(let pid): append(pid)
        case .port(let port): append(port)
        case .reference(let reference): append(reference)
        case .fun(let fun): append(fun)
        case .export(let export): append(export)
        }
    }

    /// Appends four bytes for a length that is not known yet, and says where.
    public mutating func appendLengthPlaceholder() -> Int {
        bytes.append(contentsOf: [0, 0, 0, 0])
        return bytes.count - 4
    }

    /// Writes into the placeholder how many bytes have come after it.
    public mutating func patchLength(at offset: Int) {
        patch(UInt32(bytes.count - offset - 4), at: offset)
    }

    /// Overwrites four bytes with a big-endian number.
    public mutating func patch(_ value: UInt32, at offset: Int) {
        for index in 0..<4 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - index * 8))
        }
    }
}

extension TermEncoder {
    private mutating func append16(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    private mutating func append32(_ value: UInt32) {
        append16(UInt16(truncatingIfNeeded: value >> 16))
        append16(UInt16(truncatingIfNeeded: value))
    }

    private mutating func append32(_ count: Int) {
        append32(UInt32(count))
    }

    private mutating func append64(_ value: UInt64) {
        append32(UInt32(truncatingIfNeeded: value >> 32))
        append32(UInt32(truncatingIfNeeded: value))
    }

    private mutating func append(_ value: Int) {
        if let byte = UInt8(exactly: value) {
            bytes.append(Tag.smallInteger)
            bytes.append(byte)
        } else if let small = Int32(exactly: value) {
            bytes.append(Tag.integer)
            append32(UInt32(bitPattern: small))
        } else {
            append(BigInteger(value))
        }
    }

    private mutating func append(_ value: BigInteger) {
        let magnitude = value.littleEndianMagnitude
        if let count = UInt8(exactly: magnitude.count) {
            bytes.append(Tag.smallBig)
            bytes.append(count)
        } else {
            bytes.append(Tag.largeBig)
            append32(magnitude.count)
        }
        bytes.append(value.isNegative ? 1 : 0)
        bytes.append(contentsOf: magnitude)
    }

    private mutating func append(_ value: Double) {
        precondition(value.isFinite, "Erlang has no infinite floats and no NaN")
        bytes.append(Tag.newFloat)
        append64(value.bitPattern)
    }

    private mutating func append(_ atom: Atom) {
        let name = atom.utf8
        if let count = UInt8(exactly: name.count) {
            bytes.append(Tag.smallAtomUTF8)
            bytes.append(count)
        } else {
            bytes.append(Tag.atomUTF8)
            append16(UInt16(name.count))
        }
        bytes.append(contentsOf: name)
    }

    private mutating func append(_ bits: Bitstring) {
        bytes.append(Tag.bitBinary)
        append32(bits.bytes.count)
        bytes.append(UInt8(bits.lastBitCount))
        bytes.append(contentsOf: bits.bytes)
    }

    private mutating func appendTuple(_ elements: [Term]) {
        if let count = UInt8(exactly: elements.count) {
            bytes.append(Tag.smallTuple)
            bytes.append(count)
        } else {
            bytes.append(Tag.largeTuple)
            append32(elements.count)
        }
        for element in elements { append(element) }
    }

    private mutating func appendList(_ elements: [Term]) {
        if elements.isEmpty {
            bytes.append(Tag.nil)
        } else if elements.count <= Int(UInt16.max), elements.allSatisfy(\.isByte) {
            bytes.append(Tag.string)
            append16(UInt16(elements.count))
            for case .integer(let byte) in elements {
                bytes.append(UInt8(truncatingIfNeeded: byte))
            }
        } else {
            appendList(elements, tail: .list([]))
        }
    }

    private mutating func appendList(_ elements: [Term], tail: Term) {
        bytes.append(Tag.list)
        append32(elements.count)
        for element in elements { append(element) }
        append(tail)
    }

    private mutating func append(_ map: TermMap) {
        bytes.append(Tag.map)
        append32(map.count)
        for pair in map.pairs {
            append(pair.key)
            append(pair.value)
        }
    }

    private mutating func append(_ pid: PID) {
        bytes.append(Tag.newPID)
        append(pid.node)
        append32(pid.id)
        append32(pid.serial)
        append32(pid.creation)
    }

    private mutating func append(_ port: Port) {
        // OTP keeps to the 28 bits that port numbers had before: `ERTS_MAX_V3_PORT_NUMBER`.
        if port.id < 1 << 28 {
            bytes.append(Tag.newPort)
            append(port.node)
            append32(UInt32(truncatingIfNeeded: port.id))
        } else {
            bytes.append(Tag.v4Port)
            append(port.node)
            append64(port.id)
        }
        append32(port.creation)
    }

    private mutating func append(_ reference: Reference) {
        bytes.append(Tag.newerReference)
        append16(UInt16(reference.count))
        append(reference.node)
        append32(reference.creation)
        for word in reference.words { append32(word) }
    }

    private mutating func append(_ fun: Fun) {
        bytes.append(Tag.newFun)
        let start = bytes.count
        append32(0 as UInt32)
        bytes.append(fun.arity)
        bytes.append(contentsOf: fun.uniq)
        append32(fun.index)
        append32(fun.freeVariables.count)
        append(fun.module)
        append(fun.oldIndex)
        append(fun.oldUniq)
        append(fun.pid)
        for variable in fun.freeVariables { append(variable) }
        // The size counts itself.
        patch(UInt32(bytes.count - start), at: start)
    }

    private mutating func append(_ export: Export) {
        bytes.append(Tag.export)
        append(export.module)
        append(export.function)
        bytes.append(Tag.smallInteger)
        bytes.append(export.arity)
    }
}

extension Term {
    /// The version number and the term, as `term_to_binary(Term, [{minor_version, 2}])` writes it.
    public func encoded() -> [UInt8] {
        var encoder = TermEncoder()
        encoder.appendVersionByte()
        encoder.append(self)
        return encoder.bytes
    }

    /// The same, compressed at a level of 0 to 9 where that makes it smaller.
    public func encoded(compressed level: Int) -> [UInt8] {
        let plain = encoded()
        let content = plain.dropFirst()
        guard let count = UInt32(exactly: content.count) else { return plain }
        let deflated = Inflation.deflate(content, level: level)
        // The tag and the size count too; OTP's `erts_term_to_binary_simple` compares likewise.
        guard deflated.count + 5 < content.count else { return plain }
        var encoder = TermEncoder()
        encoder.bytes.reserveCapacity(6 + deflated.count)
        encoder.appendVersionByte()
        encoder.bytes.append(Tag.compressed)
        let placeholder = encoder.appendLengthPlaceholder()
        encoder.patch(count, at: placeholder)
        encoder.bytes.append(contentsOf: deflated)
        return encoder.bytes
    }

    /// Whether it is an integer from 0 to 255.
    var isByte: Bool {
        if case .integer(0...255) = self { true } else { false }
    }
}

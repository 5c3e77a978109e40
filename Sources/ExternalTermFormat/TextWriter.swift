/// Writes terms in Erlang's syntax, on one line, as `io_lib:format("~0tp", [Term])` does under
/// `erl +pc unicode`.
///
/// All text goes into one buffer of UTF-8, which stops growing at a limit. One thing differs from
/// Erlang: a pid, port or reference begins with its node's name instead of a channel number
/// (`<a@host.45.0>`), because the text belongs to no node here. As in Erlang none of them can be
/// read back.
///
/// Source: OTP's `io_lib_pretty.erl` and `io_lib.erl`.
struct TextWriter {
    private(set) var utf8: [UInt8] = []
    let maximumByteCount: Int
    /// Whether a list or a binary of printable characters is written as a string.
    let showsStrings: Bool

    init(maximumByteCount: Int, showsStrings: Bool) {
        self.maximumByteCount = maximumByteCount
        self.showsStrings = showsStrings
    }

    /// What has been written. If the limit was reached it is cut between characters and ends with
    /// `...`.
    func text() -> String {
        guard utf8.count > maximumByteCount else { return String(decoding: utf8, as: UTF8.self) }
        var end = maximumByteCount
        // A byte 10xxxxxx continues a character.
        while end > 0, utf8[end] & 0b1100_0000 == 0b1000_0000 { end -= 1 }
        return String(decoding: utf8[..<end], as: UTF8.self) + "..."
    }

    /// Whether any more text would be cut off.
    var isFull: Bool { utf8.count > maximumByteCount }

    /// How many elements to look at, if each takes at least one byte of text: one more than there
    /// is room for, so that the text is cut.
    var room: Int {
        maximumByteCount == .max ? .max : max(maximumByteCount - utf8.count, 0) + 1
    }

    mutating func append(_ text: StaticString) {
        unsafe utf8.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) {
        utf8.append(contentsOf: text.utf8)
    }

    mutating func append(contentsOf bytes: some Sequence<UInt8>) {
        utf8.append(contentsOf: bytes)
    }

    mutating func append(_ byte: UInt8) {
        utf8.append(byte)
    }

    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isASCII {
            utf8.append(UInt8(truncatingIfNeeded: scalar.value))
        } else {
            utf8.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }
}

// MARK: - Terms

extension TextWriter {
    mutating func write(_ term: Term) {
        guard !isFull else { return }
        switch term {
        case .tuple(let elements): write(elements, "{", "}")
        case .list(let elements): write(elements)
        case .improperList(let elements, let tail): write(elements, tail: tail)
        case .map(let map): write(map)
        case .record(let record): write(record)
        case .integer, .bigInteger, .float, .atom, .binary, .bitstring, .pid, .port, .reference,
            .fun, .export:
            writeLeaf(term)
        }
    }

    private mutating func write(_ list: TermList) {
        // Elements that do not fit are not looked at, so that a long list costs no more than a
        // short one.
        let elements = list.count > room ? Array(list.prefix(room)) : [Term](list)
        if !showsStrings || !writeIfPrintable(elements) { write(elements, "[", "]") }
    }

    private mutating func write(_ elements: [Term], _ open: Unicode.Scalar, _ close: Unicode.Scalar)
    {
        append(open)
        write(elements)
        append(close)
    }

    private mutating func write(_ elements: [Term], tail: Term) {
        append("[")
        write(elements)
        append("|")
        write(tail)
        append("]")
    }

    private mutating func write(_ elements: [Term]) {
        for index in elements.indices where !isFull {
            if index > 0 { append(",") }
            write(elements[index])
        }
    }

    private mutating func write(_ record: Record) {
        append("#")
        write(record.module)
        append(":")
        write(record.name)
        append("{")
        for index in record.keys.indices where !isFull {
            if index > 0 { append(",") }
            write(record.keys[index])
            append(" = ")
            write(record.values[index])
        }
        append("}")
    }

    private mutating func write(_ map: TermMap) {
        append("#{")
        for place in map.places where !isFull {
            if place > 0 { append(",") }
            write(map.key(at: place))
            append(" => ")
            write(map.value(at: place))
        }
        append("}")
    }

    /// Kept apart from the recursion, so that its frames stay small.
    @inline(never)
    private mutating func writeLeaf(_ term: Term) {
        switch term {
        case .integer(let value): append(String(value))
        case .bigInteger(let value): append(value.text(maximumByteCount: room))
        case .float(let value): write(value)
        case .atom(let atom): write(atom)
        case .binary(let bytes): write(bytes)
        case .bitstring(let bits): write(bits)
        case .pid(let pid): write(pid)
        case .port(let port): write(port)
        case .reference(let reference): write(reference)
        case .fun(let fun): write(fun)
        case .export(let export): write(export)
        case .tuple, .list, .improperList, .map, .record: break
        }
    }
}

// MARK: - Identifiers

extension TextWriter {
    mutating func write(_ pid: PID) {
        append("<")
        append(pid.node.name)
        append(".\(pid.id).\(pid.serial)>")
    }

    mutating func write(_ port: Port) {
        append("#Port<")
        append(port.node.name)
        append(".\(port.id)>")
    }

    /// Writes the words in the order in which Erlang shows them: the last one on the wire first.
    mutating func write(_ reference: Reference) {
        append("#Ref<")
        append(reference.node.name)
        for word in reference.words.reversed() { append(".\(word)") }
        append(">")
    }

    mutating func write(_ fun: Fun) {
        append("#Fun<")
        write(fun.module)
        append(".\(fun.oldIndex).\(fun.oldUniq)>")
    }

    mutating func write(_ export: Export) {
        append("fun ")
        write(export.module)
        append(":")
        write(export.function)
        append("/\(export.arity)")
    }
}

// Atoms, strings and binaries: when they are quoted, and what is escaped inside the quotes.

extension TextWriter {
    /// Writes an atom. It has quotes unless it begins with a small letter of Latin-1, continues
    /// with letters, digits, `_` and `@`, and is not a reserved word.
    ///
    /// Source: `io_lib:write_atom/1`.
    mutating func write(_ atom: Atom) {
        let name = atom.name
        let scalars = name.unicodeScalars
        let isBare =
            scalars.first.map(ErlangSyntax.startsAtom) ?? false
            && scalars.allSatisfy(ErlangSyntax.continuesName)
            && !ErlangSyntax.isQuotedWord(name)
        if isBare {
            append(name)
        } else {
            writeQuoted(scalars, quote: "'")
        }
    }

    /// Writes a non-empty list that contains only printable characters as a string.
    mutating func writeIfPrintable(_ elements: [Term]) -> Bool {
        guard !elements.isEmpty else { return false }
        let isPrintable = elements.allSatisfy { element in
            guard case .integer(let value) = element, let code = UInt32(exactly: value),
                let scalar = Unicode.Scalar(code)
            else { return false }
            return ErlangSyntax.isPrintable(scalar)
        }
        guard isPrintable else { return false }
        append("\"")
        for case .integer(let value) in elements where !isFull {
            guard let scalar = Unicode.Scalar(UInt32(truncatingIfNeeded: value)) else { continue }
            writeEscaped(scalar, quote: "\"")
        }
        append("\"")
        return true
    }

    /// Writes a binary: as a string if it is printable UTF-8, or if it is not UTF-8 but printable
    /// Latin-1; else as numbers.
    ///
    /// Source: `printable_bin/4` in OTP's `io_lib_pretty.erl`.
    mutating func write(_ bytes: Binary) {
        // Bytes that do not fit are not looked at, so that a long binary costs no more than a short
        // one.
        let bytes = bytes.count > room ? bytes.cut(atCharacterBefore: room) : bytes
        if bytes.isEmpty || !showsStrings {
            writeNumbers(bytes)
        } else if let text = String(validating: bytes, as: UTF8.self) {
            guard text.unicodeScalars.allSatisfy(ErlangSyntax.isPrintable) else {
                writeNumbers(bytes)
                return
            }
            append("<<")
            writeQuoted(text.unicodeScalars, quote: "\"")
            if bytes.contains(where: { $0 >= 0x80 }) { append("/utf8") }
            append(">>")
        } else if bytes.allSatisfy({ ErlangSyntax.isPrintable(Unicode.Scalar($0)) }) {
            append("<<")
            writeQuoted(bytes.lazy.map(Unicode.Scalar.init), quote: "\"")
            append(">>")
        } else {
            writeNumbers(bytes)
        }
    }

    private mutating func writeNumbers(_ bytes: Binary) {
        append("<<")
        writeBytes(bytes)
        append(">>")
    }

    mutating func write(_ bits: Bitstring) {
        append("<<")
        guard bits.bytes.count <= room else { return writeBytes(bits.bytes.prefix(room)) }
        writeBytes(bits.bytes.dropLast())
        if bits.bytes.count > 1 { append(",") }
        let last = (bits.bytes.last ?? 0) >> UInt8(8 - bits.lastBitCount)
        append("\(last):\(bits.lastBitCount)>>")
    }

    private mutating func writeBytes(_ bytes: some Collection<UInt8>) {
        var isFirst = true
        for byte in bytes where !isFull {
            if !isFirst { append(",") }
            isFirst = false
            append(String(byte))
        }
    }

    private mutating func writeQuoted(
        _ scalars: some Sequence<Unicode.Scalar>, quote: Unicode.Scalar
    ) {
        append(quote)
        for scalar in scalars where !isFull { writeEscaped(scalar, quote: quote) }
        append(quote)
    }

    /// Source: `io_lib:string_char/4`.
    private mutating func writeEscaped(_ scalar: Unicode.Scalar, quote: Unicode.Scalar) {
        switch scalar {
        case quote, "\\":
            append("\\")
            append(scalar)
        case "\n": append("\\n")
        case "\r": append("\\r")
        case "\t": append("\\t")
        case "\u{0B}": append("\\v")
        case "\u{08}": append("\\b")
        case "\u{0C}": append("\\f")
        case "\u{1B}": append("\\e")
        case "\u{7F}": append("\\d")
        case "\0"..."\u{1F}", "\u{80}"..."\u{9F}":
            append("\\")
            let octal = String(scalar.value, radix: 8)
            append(String(repeating: "0", count: 3 - octal.count) + octal)
        default: append(scalar)
        }
    }
}

/// A header field: `Content-Length: 5`.
package struct HTTPField: Equatable, Sendable {
    /// The name as it was sent. Names are compared without regard to case (RFC 9110, section 5.1).
    package var name: String
    /// The value without the whitespace around it. Bytes that are not UTF-8 are replaced.
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension [HTTPField] {
    /// The values of all fields of that name, in order; `name` in lower case.
    package func values(_ name: String) -> [String] {
        filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The elements of all fields of that name, whose values are lists (RFC 9110, section 5.6.1).
    package func elements(_ name: String) -> [String] {
        values(name).flatMap { value in
            // By bytes: what combines with a comma does not hide it.
            value.utf8.split(separator: UInt8(ascii: ",")).map { HTTPText.trimmed(Substring($0)) }
                .filter { !$0.isEmpty }
        }
    }
}

/// Characters that HTTP knows.
package enum HTTPText {
    /// The text without the blanks around it (RFC 9110, section 5.6.3).
    package static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Whether the byte is printable, blank, or beyond ASCII. Source: RFC 9110, section 5.5.
    static func isText(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == 0x09
    }

    /// Whether the byte may occur in a token. Source: RFC 9110, section 5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

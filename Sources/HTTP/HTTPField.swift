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

/// What comes before the content of a response.
package struct HTTPResponseHead: Equatable, Sendable {
    /// The minor version: 0 for HTTP/1.0, 1 for HTTP/1.1.
    package var minorVersion: Int
    /// 100 to 599, or another number of three digits.
    package var status: Int
    /// The fields in the order in which they came.
    package var fields: [HTTPField]

    /// Whether another response follows (RFC 9110, section 15.2). No response follows a 101, which
    /// ends HTTP on the connection.
    package var isInterim: Bool { 100...199 ~= status && status != 101 }

    /// The values of all fields of that name, in order; `name` in lower case.
    package func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The elements of all fields of that name, whose values are lists (RFC 9110, section 5.6.1).
    package func elements(_ name: String) -> [String] {
        values(name).flatMap { value in
            value.split(separator: ",").map(Self.trimmed).filter { !$0.isEmpty }
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}

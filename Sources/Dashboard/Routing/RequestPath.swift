/// The path of a request as decoded segments: `/a%20b/c` is `a b`, `c`.
package struct RequestPath: Equatable, Sendable {
    package var segments: [String]

    /// The most segments.
    private static let limit = 16

    /// - Returns: `nil` for a path that means nothing here: escapes that are none, bytes that are not
    ///   UTF-8, control characters, `.` and `..`, empty segments but the last.
    package init?(_ path: some StringProtocol) {
        guard path.hasPrefix("/") else { return nil }
        var parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if parts.last == "" { parts.removeLast() }
        guard parts.count <= Self.limit else { return nil }
        segments = []
        for part in parts {
            guard let segment = PercentEncoding.decoded(part, plusIsSpace: false),
                !segment.isEmpty, segment != ".", segment != ".."
            else { return nil }
            segments.append(segment)
        }
    }
}

/// Text in a path or a query. Source: RFC 3986, section 2.1; URL standard,
/// `application/x-www-form-urlencoded`.
package enum PercentEncoding {
    /// - Parameter plusIsSpace: as in forms and queries.
    /// - Returns: `nil` if it contains an escape that is none, bytes that are not UTF-8, or control
    ///   characters.
    package static func decoded(_ text: some StringProtocol, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit),
                    let low = rest.popFirst().flatMap(digit)
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

/// `a=1&b=2`: the fields of a query or a form.
package struct FormFields: Equatable, Sendable {
    private var fields: [(name: String, value: String)] = []

    /// The most fields.
    private static let limit = 32

    /// - Returns: `nil` if a name or a value cannot be read, or if there are too many.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "&")
        guard parts.count <= Self.limit else { return nil }
        for part in parts {
            let name = part.prefix { $0 != "=" }
            guard let decodedName = PercentEncoding.decoded(name, plusIsSpace: true),
                let value = PercentEncoding.decoded(
                    part.dropFirst(name.count).dropFirst(), plusIsSpace: true)
            else { return nil }
            fields.append((decodedName, value))
        }
    }

    /// The value of a field that occurs once; `nil` if there is none or more than one.
    package subscript(_ name: String) -> String? {
        let found = fields.filter { $0.name == name }
        return found.count == 1 ? found[0].value : nil
    }

    /// The names, in order.
    package var names: [String] { fields.map(\.name) }

    package static func == (left: FormFields, right: FormFields) -> Bool {
        left.fields.elementsEqual(right.fields) { $0 == $1 }
    }
}

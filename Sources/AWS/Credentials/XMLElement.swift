/// Finds elements in the small XML answers of AWS. It is no XML parser: it looks for an element
/// that holds text only, and believes nothing that is long.
enum XMLElement {
    /// The text of the first element of that name, if it is not longer than `limit`.
    static func text(_ name: String, in bytes: ArraySlice<UInt8>, limit: Int = 512) -> String? {
        content(name, in: bytes).flatMap { content in
            guard content.count <= limit, !content.contains(UInt8(ascii: "<")) else { return nil }
            return unescaped(content)
        }
    }

    /// What stands between the first `<name>` and the next `</name>`.
    static func content(_ name: String, in bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let open = range(of: Array("<\(name)>".utf8), in: bytes),
            let close = range(of: Array("</\(name)>".utf8), in: bytes[open.upperBound...])
        else { return nil }
        return bytes[open.upperBound..<close.lowerBound]
    }

    private static func range(of text: [UInt8], in bytes: ArraySlice<UInt8>) -> Range<Int>? {
        guard let first = text.first else { return nil }
        var rest = bytes
        while let start = rest.firstIndex(of: first) {
            rest = rest[start...]
            guard rest.count >= text.count else { return nil }
            if rest.starts(with: text) { return start..<(start + text.count) }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// `nil` for a reference that is not one of the five of XML.
    private static func unescaped(_ content: ArraySlice<UInt8>) -> String? {
        let names: [String: UInt8] = [
            "amp": UInt8(ascii: "&"), "lt": UInt8(ascii: "<"), "gt": UInt8(ascii: ">"),
            "quot": UInt8(ascii: "\""), "apos": UInt8(ascii: "'"),
        ]
        var bytes: [UInt8] = []
        var rest = content
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "&") else {
                bytes.append(byte)
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: ";")),
                let character = names[String(decoding: rest[..<end], as: UTF8.self)]
            else { return nil }
            bytes.append(character)
            rest = rest[(end + 1)...]
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

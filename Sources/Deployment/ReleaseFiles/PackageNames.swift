/// Whether `text` names one entry of a folder.
func isPathComponent(_ text: String) -> Bool {
    !text.isEmpty && text != "." && text != ".." && text.utf8.count <= 255
        && !text.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
}

/// A name from outside as text for a message: control characters escaped, at most 200 characters.
func printable(_ bytes: some Collection<UInt8>) -> String {
    var text = ""
    for scalar in String(decoding: bytes.prefix(800), as: UTF8.self).unicodeScalars.prefix(200) {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069:
            text += "\\u{\(String(scalar.value, radix: 16))}"
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text.utf8.count < bytes.count && bytes.count > 200 ? text + "…" : text
}

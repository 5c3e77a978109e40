package import ExternalTermFormat
internal import Transport

extension Term {
    /// The term as JSON text, indented by two spaces: maps become objects, lists arrays, binaries
    /// and atoms strings. The atoms `null`, `true` and `false` become themselves, as in OTP's
    /// `json`. Terms that JSON cannot express (tuples, pids) become strings in Erlang syntax.
    package var json: String {
        var text = ""
        writeJSON(into: &text, indent: 0)
        return text
    }

    /// The same without line ends and blanks between the parts.
    package var compactJSON: String {
        var text = ""
        writeJSON(into: &text, indent: nil)
        return text
    }

    /// - Parameter indent: how deep it stands; `nil` for everything in one line.
    private func writeJSON(into text: inout String, indent: Int?) {
        switch self {
        case .integer, .bigInteger, .float:
            text += description
        case .atom(let atom) where ["null", "true", "false"].contains(atom.name):
            text += atom.name
        case .atom(let atom):
            Self.writeJSONString(atom.name, into: &text)
        case .binary(let bytes):
            Self.writeJSONString(String(decoding: bytes, as: UTF8.self), into: &text)
        case .list(let elements):
            Self.writeJSONItems(elements, "[", "]", into: &text, indent: indent) { item, text in
                item.writeJSON(into: &text, indent: indent.map { $0 + 1 })
            }
        case .map(let map):
            Self.writeJSONItems(map.pairs, "{", "}", into: &text, indent: indent) { pair, text in
                Self.writeJSONString(pair.key.asAtom?.name ?? pair.key.description, into: &text)
                text += indent == nil ? ":" : ": "
                pair.value.writeJSON(into: &text, indent: indent.map { $0 + 1 })
            }
        case .bitstring, .tuple, .improperList, .pid, .port, .reference, .record, .fun,
            .export:
            Self.writeJSONString(description, into: &text)
        }
    }

    private static func writeJSONItems<Item>(
        _ items: some Collection<Item>, _ open: String, _ close: String, into text: inout String,
        indent: Int?, write: (Item, inout String) -> Void
    ) {
        guard !items.isEmpty else {
            text += open + close
            return
        }
        let end = indent.map { "\n" + String(repeating: "  ", count: $0) } ?? ""
        let start = indent == nil ? "" : end + "  "
        for (index, item) in items.enumerated() {
            text += (index == 0 ? open : ",") + start
            write(item, &text)
        }
        text += end + close
    }

    /// Source: RFC 8259, section 7. Characters that a terminal would obey are also written as
    /// numbers.
    private static func writeJSONString(_ string: String, into text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where SafeText.isHarmful(scalar):
                for unit in UTF16.encode(scalar) ?? UTF16.EncodedScalar() {
                    let hex = String(unit, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                }
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

@testable import Deployment

/// The reader of JSON: what it reads is written as text that it reads as the same.
enum JSONTarget {
    static func check(_ bytes: [UInt8]) throws {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONReader.value(bytes)
        } catch {
            switch error {
            case .endsTooEarly: return
            case .unexpected(let offset), .tooDeep(let offset):
                try require((0...bytes.count).contains(offset), "\(error)")
            }
            return
        }
        let text = Self.text(value)
        try require(try JSONReader.value(Array(text.utf8)) == value, "another value: \(text)")
    }

    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let bool): "\(bool)"
        case .number(let digits): digits
        case .string(let string): quoted(string)
        case .array(let elements): "[\(elements.map(text).joined(separator: ","))]"
        case .object(let members):
            "{\(members.map { "\(quoted($0.key)):\(text($0.value))" }.joined(separator: ","))}"
        }
    }

    /// Every UTF-16 unit as an escape.
    private static func quoted(_ string: String) -> String {
        let units = string.utf16.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return "\"\(units.joined())\""
    }
}

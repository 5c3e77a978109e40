/// Why bytes are not one JSON value.
package enum JSONError: Error, Equatable {
    /// The text ends inside the value: the rest has not been written yet, or is lost.
    case endsTooEarly
    /// The character at this byte does not belong there.
    case unexpected(offset: Int)
    case tooDeep(offset: Int)
}

/// Reads small JSON texts strictly, and distinguishes a text that ends too early from a wrong one.
///
/// Source: RFC 8259. Depth is limited to 32.
package struct JSONReader {
    private let bytes: [UInt8]
    private var offset = 0

    /// Reads the one value in `bytes`, which may have white space around it. A byte order mark is
    /// skipped, as section 8.1 allows.
    package static func value(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var reader = JSONReader(bytes: bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.offset = 3 }
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == bytes.count else { throw .unexpected(offset: reader.offset) }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
    }

    /// The byte at `offset`, which stays there.
    private func peek() throws(JSONError) -> UInt8 {
        guard offset < bytes.count else { throw .endsTooEarly }
        return bytes[offset]
    }

    private mutating func take(_ wanted: UInt8) throws(JSONError) {
        guard try peek() == wanted else { throw .unexpected(offset: offset) }
        offset += 1
    }

    private mutating func takeIf(_ wanted: UInt8) throws(JSONError) -> Bool {
        guard try peek() == wanted else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        guard depth < 32 else { throw .tooDeep(offset: offset) }
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for byte in word.utf8 { try take(byte) }
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        try take(UInt8(ascii: "{"))
        skipSpace()
        var members: [JSONValue.Member] = []
        if try takeIf(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipSpace()
            let key = try string()
            skipSpace()
            try take(UInt8(ascii: ":"))
            members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
            skipSpace()
            if try takeIf(UInt8(ascii: "}")) { return .object(members) }
            try take(UInt8(ascii: ","))
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        try take(UInt8(ascii: "["))
        skipSpace()
        var elements: [JSONValue] = []
        if try takeIf(UInt8(ascii: "]")) { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if try takeIf(UInt8(ascii: "]")) { return .array(elements) }
            try take(UInt8(ascii: ","))
        }
    }

    private mutating func string() throws(JSONError) -> String {
        let start = offset
        try take(UInt8(ascii: "\""))
        var text: [UInt8] = []
        while true {
            let byte = try peek()
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw .unexpected(offset: start)
                }
                return string
            case 0..<0x20: throw .unexpected(offset: offset)
            case UInt8(ascii: "\\"):
                offset += 1
                text += try escaped()
            default:
                text.append(byte)
                offset += 1
            }
        }
    }

    /// The UTF-8 of the escape that follows a backslash.
    private mutating func escaped() throws(JSONError) -> [UInt8] {
        let start = offset
        let byte = try peek()
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                try take(UInt8(ascii: "\\"))
                try take(UInt8(ascii: "u"))
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw .unexpected(offset: start) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw .unexpected(offset: start) }
            return Array(String(Character(scalar)).utf8)
        default: throw .unexpected(offset: start)
        }
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(try peek())).hexDigitValue else {
                throw .unexpected(offset: offset)
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = offset
        _ = try takeIf(UInt8(ascii: "-"))
        if try !takeIf(UInt8(ascii: "0")) { try digits() }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if try !takeIf(UInt8(ascii: "+")) { _ = try takeIf(UInt8(ascii: "-")) }
            try digits()
        }
        return .number(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    /// One digit or more.
    private mutating func digits() throws(JSONError) {
        let range = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard range.contains(try peek()) else { throw .unexpected(offset: offset) }
        while offset < bytes.count, range.contains(bytes[offset]) { offset += 1 }
    }
}

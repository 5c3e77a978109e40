/// The properties of a member in a pax extended header; `nil` for a property that it does not name.
///
/// Records are `LENGTH KEY=VALUE\n`. The length is decimal and counts itself, too.
/// Source: POSIX.1-2017, pax, "pax Extended Header".
struct PaxRecords: Equatable {
    enum Failure: Error, Equatable {
        case malformed
        case wrongNumber(field: String)
        case sparse, nul
    }

    var path: [UInt8]?
    var linkPath: [UInt8]?
    var byteCount: Int64?
    var modified: Int64?

    /// Applies the records of `bytes`. A later record of the same key wins; an empty value removes
    /// the property.
    mutating func apply(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            // Writers may pad the header's contents with zeros.
            if rest.first == 0 {
                guard rest.allSatisfy({ $0 == 0 }) else { throw .malformed }
                return
            }
            let digits = rest.prefix { $0 != UInt8(ascii: " ") }
            guard let length = Self.decimal(digits), length > Int64(digits.count) + 1,
                length <= Int64(rest.count)
            else { throw .malformed }
            let record = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            let body = record.dropFirst(digits.count + 1)
            guard body.last == UInt8(ascii: "\n"),
                let equals = body.firstIndex(of: UInt8(ascii: "="))
            else { throw .malformed }
            try apply(
                key: String(decoding: body[..<equals], as: UTF8.self),
                value: body[(equals + 1)...].dropLast())
        }
    }

    private mutating func apply(key: String, value: ArraySlice<UInt8>) throws(Failure) {
        switch key {
        case "path": path = try Self.name(value)
        case "linkpath": linkPath = try Self.name(value)
        case "size": byteCount = value.isEmpty ? nil : try Self.number(value, field: "size")
        case "mtime":
            // A fraction of a second is left out; a time before 1970 is 1970.
            let whole: ArraySlice<UInt8> =
                value.first == UInt8(ascii: "-") ? [0x30] : value.prefix { $0 != UInt8(ascii: ".") }
            modified = value.isEmpty ? nil : try Self.number(whole, field: "time")
        default:
            // A sparse file's contents are a map and fragments: read as a plain file they would be
            // wrong.
            if key.hasPrefix("GNU.sparse.") { throw .sparse }
        }
    }

    private static func name(_ value: ArraySlice<UInt8>) throws(Failure) -> [UInt8]? {
        guard !value.contains(0) else { throw .nul }
        return value.isEmpty ? nil : Array(value)
    }

    private static func number(
        _ digits: ArraySlice<UInt8>, field: String
    ) throws(Failure) -> Int64 {
        guard let number = decimal(digits) else { throw .wrongNumber(field: field) }
        return number
    }

    /// The value of up to 18 decimal digits, which always fits.
    private static func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard (1...18).contains(digits.count), digits.allSatisfy({ 0x30...0x39 ~= $0 }) else {
            return nil
        }
        return Int64(String(decoding: digits, as: UTF8.self))
    }
}

/// An environment variable whose name or value is not UTF-8. It is only passed on, byte by byte.
package struct ForeignVariable: Equatable, Sendable {
    /// `NAME=VALUE`
    let entry: [UInt8]
    /// The name; what is not UTF-8 in it is replaced.
    package let name: String

    /// `nil` if the entry is UTF-8, or no variable.
    package init?(entry: [UInt8]) {
        guard String(validating: entry, as: UTF8.self) == nil,
            let equals = entry.firstIndex(of: UInt8(ascii: "="))
        else { return nil }
        self.entry = entry
        name = String(decoding: entry[..<equals], as: UTF8.self)
    }
}

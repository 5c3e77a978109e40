/// How far a package has come.
package struct FetchProgress: Equatable, Sendable {
    package var version: String
    package var byteCount: Int64
    /// Of the whole package; `nil` while that is not known.
    package var totalByteCount: Int64?

    package init(version: String, byteCount: Int64, totalByteCount: Int64?) {
        self.version = version
        self.byteCount = byteCount
        self.totalByteCount = totalByteCount
    }

    package var text: String {
        let total = totalByteCount.map { " of \($0 >> 20)" } ?? ""
        return "\(byteCount >> 20)\(total) MiB"
    }
}

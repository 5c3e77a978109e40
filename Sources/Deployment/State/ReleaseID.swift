/// Names one published package. The same version, published again with another hash, is another
/// package.
package struct ReleaseID: Hashable, Codable, Sendable, CustomStringConvertible {
    package var version: String
    package var hash: String

    package init(version: String, hash: String) {
        self.version = version
        self.hash = hash
    }

    package var description: String { version }
}

extension Release {
    package var id: ReleaseID { ReleaseID(version: version, hash: hash) }
}

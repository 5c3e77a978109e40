/// Names one published package: the same version published again with another hash is another one.
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

/// A path inside an archive's folder: names without slashes, none of them empty, `.` or `..`. The
/// folder itself has no names.
package struct ArchivePath: Hashable, Sendable, CustomStringConvertible {
    package private(set) var names: [[UInt8]]

    package static let root = ArchivePath(names: [])

    init(names: [[UInt8]]) {
        self.names = names
    }

    /// The checked form of a member's name: `./a//b/` is `a/b`.
    package init(_ bytes: [UInt8], limits: ArchiveLimits) throws(PolicyViolation) {
        guard !bytes.isEmpty else { throw .emptyPath }
        guard bytes.count <= limits.pathByteCount else { throw .pathTooLong }
        guard !bytes.contains(0) else { throw .nulInPath }
        guard bytes.first != UInt8(ascii: "/") else { throw .absolutePath }
        names = []
        for name in bytes.split(separator: UInt8(ascii: "/")) {
            if name.elementsEqual(".".utf8) { continue }
            guard !name.elementsEqual("..".utf8) else { throw .parentInPath }
            guard name.count <= limits.nameByteCount else { throw .pathTooLong }
            names.append(Array(name))
        }
        guard names.count <= limits.depth else { throw .pathTooDeep }
    }

    var parent: ArchivePath { ArchivePath(names: names.dropLast()) }

    func appending(_ name: [UInt8]) -> ArchivePath { ArchivePath(names: names + [name]) }

    package var description: String {
        names.isEmpty ? "." : printable(Array(names.joined(separator: [UInt8(ascii: "/")])))
    }
}

/// Reads small files whole, if they can be believed: ``PathTrust``. It blocks.
package enum TrustedFile {
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case tooLarge(path: String, limit: Int)
        case refused(PathTrustError)

        package var description: String {
            switch self {
            case .tooLarge(let path, let limit): "reading \(path): more than \(limit) bytes"
            case .refused(let error): error.description
            }
        }
    }

    /// The file's bytes.
    package static func read(
        _ path: String, as role: PathTrustRule.Role, owners: TrustedUsers = TrustedUsers(),
        limit: Int
    ) throws(Failure) -> [UInt8] {
        let contents = try FileContents(path, as: role, owners: owners, maximumByteCount: limit)
        return Array(contents.bytes)
    }
}

package import Transport

/// The file with the public keys of those who may sign packages. It is read for every package, so
/// that a key that is added or removed counts from then on.
package struct PublicKeysFile: Equatable, Sendable {
    package var path: String

    package init(_ path: String) {
        self.path = path
    }

    /// The keys in it. It blocks.
    package func read() throws(Failure) -> [MinisignPublicKey] {
        let bytes: [UInt8]
        do throws(TrustedFile.Failure) {
            bytes = try TrustedFile.read(
                path, as: .file, limit: MinisignPublicKey.maximumFileByteCount)
        } catch {
            throw .unreadable(error)
        }
        return try converting(
            { Failure.unusable(path: path, $0) }, MinisignPublicKey.parse(bytes))
    }

    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case unreadable(TrustedFile.Failure)
        case unusable(path: String, PublicKeysError)

        package var description: String {
            switch self {
            case .unreadable(let error): "no public keys (\(error))"
            case .unusable(let path, let error): "no public keys (\(path): \(error))"
            }
        }
    }
}

package import Supervisor

/// Why a package was not unpacked. Nothing of it is left behind.
package enum UnpackError: Error, Equatable, Sendable, CustomStringConvertible {
    case missing(package: String)
    /// A folder, a FIFO, a device, …
    case notAFile(package: String)
    case empty(package: String)
    /// Not gzip, cut, or changed since it was built.
    case damaged(package: String, GzipError)
    /// Whole gzip data, but no whole tar archive.
    case malformed(package: String, TarError)
    /// A well-formed archive with a member that must not be written.
    case refused(package: String, entry: String, PolicyViolation)
    /// A good archive of something else than the release that was published.
    case wrongPackage(package: String, expected: String, found: String)
    /// A system call failed: no space, no permission, …
    case system(package: String, FileSystemError)
    case cancelled(package: String)

    package var description: String {
        switch self {
        case .missing(let package):
            "no package at \(package): copy it there, or publish another version"
        case .notAFile(let package):
            "\(package) is not a regular file: replace it with the release's tar.gz"
        case .empty(let package):
            "\(package) is empty: copy the release's tar.gz again"
        case .damaged(let package, let error):
            "\(package) cannot be unpacked: \(error.text); copy the release's tar.gz again"
        case .malformed(let package, let error):
            "\(package) cannot be unpacked: \(error.text); build the release again with tar or mix"
        case .refused(let package, let entry, let violation):
            "\(package) is refused: `\(entry)` \(violation.text); build the release again without it"
        case .wrongPackage(let package, let expected, let found):
            "\(package) is not the release that was published: expected \(expected), found "
                + "\(found); copy the right tar.gz there, or publish its version"
        case .system(let package, let error):
            "unpacking \(package) failed (it is tried again): \(error)"
        case .cancelled(let package):
            "unpacking \(package) was cancelled"
        }
    }
}

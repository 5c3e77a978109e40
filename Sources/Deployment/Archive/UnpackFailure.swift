package import Supervisor
internal import Transport

/// The cause of a failed unpacking, without the package.
package enum UnpackFailure: Error, Equatable, Sendable {
    case missing
    /// A folder, a FIFO, a device, …
    case notAFile
    case empty
    /// It is not gzip, is cut, or has changed since it was built.
    case damaged(GzipError)
    /// It is whole gzip data, but not a whole tar archive.
    case malformed(TarError)
    /// A well-formed archive with a member that must not be written.
    case refused(entry: String, PolicyViolation)
    /// It is a good archive, but not of the published release.
    case wrongPackage(expected: String, found: String)
    /// Its SHA-256 is not the one that was published with it.
    case wrongDigest(expected: String, found: String)
    /// It is not signed as the public keys demand.
    case signature(SignatureProblem)
    /// Somebody has written to it between its check and its unpacking.
    case changed
    /// A system call failed: no space, no permission, …
    case system(FileSystemError)
    case cancelled

    /// The error of the system call that has just failed on this thread.
    static func last(_ attempt: String) -> UnpackFailure { .system(.system(.last(attempt))) }
}

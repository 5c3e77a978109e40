package import Supervisor
internal import Transport

/// What went wrong in unpacking, whichever package it was.
package enum UnpackFailure: Error, Equatable, Sendable {
    case missing
    /// A folder, a FIFO, a device, …
    case notAFile
    case empty
    /// Not gzip, cut, or changed since it was built.
    case damaged(GzipError)
    /// Whole gzip data, but no whole tar archive.
    case malformed(TarError)
    /// A well-formed archive with a member that must not be written.
    case refused(entry: String, PolicyViolation)
    /// A good archive of something else than the release that was published.
    case wrongPackage(expected: String, found: String)
    /// A system call failed: no space, no permission, …
    case system(FileSystemError)
    case cancelled

    /// The error of the system call that has just failed on this thread.
    static func last(_ attempt: String) -> UnpackFailure { .system(.system(.last(attempt))) }
}

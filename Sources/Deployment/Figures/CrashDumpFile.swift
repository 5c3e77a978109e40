package import Supervisor
package import Transport

/// The crash dump of an instance, as a file.
package struct CrashDumpFile: Equatable, Sendable {
    /// When it was last written, in seconds since 1970.
    package var seconds: Int
    package var byteCount: Int
    /// `nil` if it is no crash dump.
    package var dump: CrashDump?

    /// What is read of a dump at most. Processes come before the heaps, which are the larger part.
    package static let byteLimit = 1 << 30

    /// Reads the dump at `path`. It blocks, for seconds where the dump is large.
    /// - Parameter owners: who may own it and its folder.
    /// - Throws: also if it is nobody's whom we trust, or reached through a link.
    package init(
        reading path: String, owners: TrustedUsers, limit: Int = Self.byteLimit
    ) throws(FileSystemError) {
        var reader = CrashDumpReader()
        let stamp = try LogOpening.read(path, owners: owners, limit: limit) { bytes in
            reader.read(bytes)
            return !reader.isForeign
        }
        (seconds, byteCount) = (stamp.seconds, stamp.byteCount)
        dump = reader.finish()
    }
}

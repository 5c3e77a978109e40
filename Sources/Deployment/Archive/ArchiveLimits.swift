/// The most that an archive may cost. Every number from an archive is compared with these limits
/// before anything is allocated or written for it.
package struct ArchiveLimits: Equatable, Sendable {
    /// The length of the uncompressed tar stream, including headers and padding. It bounds the
    /// bytes written to the disk, so the compression ratio needs no bound of its own.
    package var byteCount: Int64 = 4 << 30
    /// The number of members, and of the folders that they only imply.
    package var entryCount = 200_000
    /// Bytes of all paths together; they are kept in memory during the unpacking.
    package var allPathsByteCount = 64 << 20
    /// Bytes of one path, or of one link's target. Source: `PATH_MAX` of limits.h.
    package var pathByteCount = 4096
    /// Bytes between two slashes. Source: `NAME_MAX` of limits.h.
    package var nameByteCount = 255
    /// Names in one path.
    package var depth = 64
    /// Bytes of one extended header (pax) or long name (GNU).
    package var extendedHeaderByteCount = 1 << 20

    package init() {}
}

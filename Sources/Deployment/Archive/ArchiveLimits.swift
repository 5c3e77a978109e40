/// What an archive may cost at most. Every number from an archive is compared with these before
/// anything is allocated or written for it.
package struct ArchiveLimits: Equatable, Sendable {
    /// The length of the uncompressed tar stream, headers and padding included. It bounds what is
    /// written to the disk, so that the compression ratio needs no bound of its own.
    package var byteCount: Int64 = 4 << 30
    /// Members, and the folders that they only imply.
    package var entryCount = 200_000
    /// Bytes of all paths together, as they are kept in memory meanwhile.
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

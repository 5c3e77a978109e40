/// How much of a log is kept: the file that is written to, and the pieces that were taken from it.
package struct LogLimits: Equatable, Sendable {
    /// A larger file is rotated; 0 leaves rotation to logrotate. Default: 10 MiB. That much is
    /// copied and made durable in a fraction of a second, and with five pieces it makes 60 MiB a
    /// stream.
    package var fileByteCount: Int64
    /// How many pieces are kept, at least one: the newest piece tells where the file's own bytes
    /// begin.
    package var keptPieceCount: Int

    package static let defaultFileByteCount: Int64 = 10 << 20
    package static let defaultKeptPieceCount = 5
    /// Pieces are whole multiples of this size. It is a multiple of the block sizes of the file
    /// systems that can cut the head off a file.
    package static let alignment: Int64 = 64 << 10

    /// - Precondition: `fileByteCount` is 0 or at least ``alignment``, `keptPieceCount` at least 1.
    package init(
        fileByteCount: Int64 = defaultFileByteCount, keptPieceCount: Int = defaultKeptPieceCount
    ) {
        precondition(
            fileByteCount == 0 || fileByteCount >= Self.alignment, "A log's limit is 64 KiB or more"
        )
        precondition(keptPieceCount >= 1, "At least one piece of a log is kept")
        self.fileByteCount = fileByteCount
        self.keptPieceCount = keptPieceCount
    }

    /// Nothing is ever rotated.
    package static let off = LogLimits(fileByteCount: 0)

    package var isOff: Bool { fileByteCount == 0 }

    /// How much is cut off a file at once.
    var pieceByteCount: Int64 { fileByteCount / Self.alignment * Self.alignment }
}

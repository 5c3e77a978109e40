/// A place in all that was ever written to a log, which stays the same place when it is rotated.
package struct LogPosition: Hashable, Sendable {
    /// How many bytes were written before it.
    package var offset: Int64
    /// The file that was written to when it was taken, 0 for none: another one with more bytes may
    /// be another log.
    package var inode: UInt64

    package init(offset: Int64, inode: UInt64) {
        self.offset = offset
        self.inode = inode
    }
}

/// What a follower reads at once.
package struct LogChunk: Equatable, Sendable {
    /// Empty at the end of the log. The last line may be without its end.
    package var bytes: [UInt8]
    /// Where to go on.
    package var next: LogPosition
    /// Bytes before these that were removed before they were read.
    package var lostByteCount: Int64 = 0
    /// The file was cut or replaced by somebody else: these are from its beginning.
    package var isFromBeginning = false
}

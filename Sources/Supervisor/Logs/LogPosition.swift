/// A place in all that was ever written to a log. It stays the same place when the log is rotated.
package struct LogPosition: Hashable, Sendable {
    /// How many bytes were written before it.
    package var offset: Int64
    /// The inode of the file that was written to when the position was taken, 0 for none. If
    /// another file has more bytes, it may be another log.
    package var inode: UInt64

    package init(offset: Int64, inode: UInt64) {
        self.offset = offset
        self.inode = inode
    }
}

/// What a follower of a log reads at once.
package struct LogChunk: Equatable, Sendable {
    /// Empty at the end of the log. The last line may lack its line end.
    package var bytes: [UInt8]
    /// Where to continue.
    package var next: LogPosition
    /// How many bytes before these were removed before they could be read.
    package var lostByteCount: Int64 = 0
    /// Somebody else has cut or replaced the file: these bytes are from its beginning.
    package var isFromBeginning = false
}

/// What a terminal's program has written, as far as it is kept: what nobody has read yet, and some
/// of what was read, for a page that is loaded again.
///
/// Places are counted in bytes since the terminal was opened. Nothing that is unread is dropped:
/// when there is no room, the program waits. It does no I/O.
package struct TerminalBuffer: Equatable, Sendable {
    /// What is kept of what was read. Default: 64 KiB.
    private let keptByteCount: Int
    /// What may be unread before the program has to wait. Default: 256 KiB.
    private let unreadByteCount: Int
    private var bytes: [UInt8] = []
    private var begin = 0
    private var readEnd = 0

    package init(keptByteCount: Int = 64 << 10, unreadByteCount: Int = 256 << 10) {
        precondition(unreadByteCount > 0, "A program can write something")
        self.keptByteCount = keptByteCount
        self.unreadByteCount = unreadByteCount
    }

    /// The place behind the last byte.
    package var end: Int { begin + bytes.count }

    /// Whether the program has to wait.
    package var isFull: Bool { end - readEnd >= unreadByteCount }

    /// More may come than there is room for: it was on its way.
    package mutating func append(_ new: [UInt8]) {
        bytes += new
    }

    /// What follows a place, at most `limit` bytes; `nil` for the begin of what is kept. What comes
    /// before the place has been read.
    /// - Returns: also how many bytes before these are no longer kept, and the place behind them.
    package mutating func next(
        after place: Int?, limit: Int
    ) -> (bytes: [UInt8], skipped: Int, next: Int) {
        let wanted = min(max(place ?? begin, 0), end)
        let from = max(wanted, begin)
        let taken = bytes[(from - begin)...].prefix(limit)
        readEnd = max(readEnd, wanted)
        let result = (
            bytes: Array(taken), skipped: from - wanted, next: from + taken.count
        )
        forget()
        return result
    }

    private mutating func forget() {
        let surplus = readEnd - keptByteCount - begin
        // Not at every read: the rest is moved each time.
        guard surplus >= 16 << 10 || surplus > keptByteCount else { return }
        bytes.removeFirst(surplus)
        begin += surplus
    }
}

package import Transport

/// One line of a log, and its place.
package struct LogLine: Equatable, Sendable {
    /// Without its line end, and at most the first ``maximumByteCount`` bytes of it.
    package var bytes: ArraySlice<UInt8>
    /// How many bytes of its end are left out.
    package var cutByteCount: Int64 = 0
    /// How many bytes of the log were written before it.
    package var offset: Int64

    /// What is kept of a line at most.
    package static let maximumByteCount = 16 << 10

    /// What it says. Bytes that are not UTF-8 are replaced, and what is left out is told.
    package var text: String {
        let whole = cutByteCount == 0 && bytes.last == 0x0D ? bytes.dropLast() : bytes
        let text = String(decoding: whole, as: UTF8.self)
        return cutByteCount == 0 ? text : "\(text) [… \(cutByteCount) more bytes]"
    }
}

/// Lines of a log that follow one another.
package struct LogPage: Equatable, Sendable {
    /// Oldest first.
    package var lines: [LogLine]
    /// Where the lines begin, and where they end.
    package var begin: LogPosition
    package var end: LogPosition
    /// Whether nothing is left in the direction of reading.
    package var isLast: Bool
    package var readByteCount: Int
    /// When the log was last written to, in seconds since 1970; of a page that ends in a rotated
    /// piece, when that piece was written.
    package var writtenAt: Int64
    /// How many bytes before the lines could not be read any more; only if that was allowed.
    package var skippedByteCount: Int64 = 0
    /// Whether the log's last line has no end yet, and was left out.
    package var hasUnfinishedLine = false
}

/// How much of a log is read at once. Reading ends with whichever comes first.
package struct LogPageLimits: Equatable, Sendable {
    package var lineCount: Int
    package var byteCount: Int

    package init(lineCount: Int, byteCount: Int) {
        precondition(lineCount > 0 && byteCount > 0, "Something is to be read")
        self.lineCount = lineCount
        self.byteCount = byteCount
    }
}

/// Why a page cannot be read.
package enum LogPageError: Error, Equatable {
    /// What is at the position has been removed, or another log has its name.
    case gone
    case file(FileSystemError)
}

extension LogFiles {
    /// The lines before `position`, or the last ones. It blocks.
    ///
    /// A last line that has no end yet is among them only if nothing has been written to the log
    /// for two seconds.
    package static func linesBefore(
        _ position: LogPosition?, path: String, _ limits: LogPageLimits,
        owners: TrustedUsers = TrustedUsers()
    ) throws(LogPageError) -> LogPage {
        try page(path, owners) { snapshot throws(FileSystemError) in
            try snapshot.linesBefore(position, limits)
        }
    }

    /// The lines from `position` on, or the first ones. It blocks. A last line without an end is as
    /// in ``linesBefore(_:path:_:owners:)``.
    /// - Parameter skipping: goes on where the log begins now, in place of ``LogPageError/gone``.
    package static func linesAfter(
        _ position: LogPosition?, path: String, _ limits: LogPageLimits, skipping: Bool = false,
        owners: TrustedUsers = TrustedUsers()
    ) throws(LogPageError) -> LogPage {
        try page(path, owners) { snapshot throws(FileSystemError) in
            try snapshot.linesAfter(position, limits, skipping: skipping)
        }
    }

    private static func page(
        _ path: String, _ owners: TrustedUsers,
        _ body: (LogSnapshot) throws(FileSystemError) -> LogPage?
    ) throws(LogPageError) -> LogPage {
        let page: LogPage?
        do throws(FileSystemError) {
            page = try withSnapshot(path, owners: owners, body)
        } catch {
            throw .file(error)
        }
        guard let page else { throw .gone }
        return page
    }
}

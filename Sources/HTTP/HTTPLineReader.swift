/// Splits bytes into lines, each at most so long.
///
/// A line ends with CR LF; a recipient may take a single LF for it (RFC 9112, section 2.2). A bare CR
/// elsewhere stays in the line, for whoever reads it to refuse.
struct HTTPLineReader: Equatable, Sendable {
    private var line: [UInt8] = []

    /// Whether a line has begun.
    var isInLine: Bool { !line.isEmpty }

    /// Takes bytes off `bytes` up to the next line's end.
    /// - Parameter limit: bytes of the line that may be kept.
    /// - Returns: The line without its end, `nil` when all of `bytes` was taken and it has no end
    ///   yet, or when the line is longer than `limit`; `isTooLong` tells which.
    mutating func next(
        _ bytes: inout ArraySlice<UInt8>, limit: Int
    ) -> (line: [UInt8]?, isTooLong: Bool) {
        let end = bytes.firstIndex(of: 0x0A)
        let part = bytes[bytes.startIndex..<(end ?? bytes.endIndex)]
        guard line.count + part.count <= limit else { return (nil, true) }
        line += part
        guard let end else {
            bytes = bytes[bytes.endIndex...]
            return (nil, false)
        }
        bytes = bytes[(end + 1)...]
        if line.last == 0x0D { line.removeLast() }
        defer { line = [] }
        return (line, false)
    }
}

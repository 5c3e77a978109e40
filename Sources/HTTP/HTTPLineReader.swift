/// Splits bytes into lines of limited length.
///
/// A line ends with CR LF; a recipient may also accept a single LF (RFC 9112, section 2.2). A bare
/// CR elsewhere stays in the line, and the line's reader refuses it.
struct HTTPLineReader: Equatable, Sendable {
    private var line: [UInt8] = []

    /// Whether a line has begun.
    var isInLine: Bool { !line.isEmpty }

    /// Takes bytes off `bytes` up to the next line's end.
    /// - Parameter limit: how many bytes of the line may be kept.
    /// - Returns: The line without its end. The result is `nil` when all of `bytes` was taken and
    ///   the line has no end yet, or when the line is longer than `limit`; `isTooLong` tells which.
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

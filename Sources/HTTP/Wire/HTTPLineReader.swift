/// Splits bytes into lines of limited length.
///
/// A line ends with CR LF. A recipient may also accept a single LF (RFC 9112, section 2.2). We do so
/// as a client. A server that did it could see two requests where a proxy before it saw one. A bare
/// CR elsewhere stays in the line, and the line's reader refuses it.
struct HTTPLineReader: Equatable, Sendable {
    /// What was found.
    enum Line: Equatable {
        /// A line without its end.
        case whole([UInt8])
        /// All bytes were taken, and the line has no end yet.
        case unfinished
        /// The line is longer than the limit.
        case tooLong
        /// The line ends with a single LF, which is not accepted here.
        case bareLineFeed
    }

    private let acceptsBareLineFeed: Bool
    private var line: [UInt8] = []

    init(acceptsBareLineFeed: Bool) {
        self.acceptsBareLineFeed = acceptsBareLineFeed
    }

    /// Whether a line has begun.
    var isInLine: Bool { !line.isEmpty }

    /// Takes bytes off `bytes` up to the next line's end.
    /// - Parameter limit: how many bytes of the line may be kept, with a CR at its end.
    mutating func next(_ bytes: inout ArraySlice<UInt8>, limit: Int) -> Line {
        let end = bytes.firstIndex(of: 0x0A)
        let part = bytes[bytes.startIndex..<(end ?? bytes.endIndex)]
        guard line.count + part.count <= limit else { return .tooLong }
        line += part
        guard let end else {
            bytes = bytes[bytes.endIndex...]
            return .unfinished
        }
        bytes = bytes[(end + 1)...]
        if line.last == 0x0D {
            line.removeLast()
        } else if !acceptsBareLineFeed {
            return .bareLineFeed
        }
        defer { line = [] }
        return .whole(line)
    }
}

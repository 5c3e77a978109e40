/// How a peer violated HTTP, or exceeded our limits.
package enum HTTPParseError: Error, Equatable, Sendable, CustomStringConvertible {
    case badStatusLine(String)
    case badVersion(String)
    case badField(String)
    case headTooLong(limit: Int)
    case tooManyFields(limit: Int)
    case tooManyInterimResponses(limit: Int)
    case badContentLength(String)
    case badTransferCoding(String)
    case badChunk(String)
    /// The connection ended before everything that was announced had come.
    case truncated(String)

    package var description: String {
        switch self {
        case .badStatusLine(let line): "a status line was expected, not `\(line)`"
        case .badVersion(let version): "HTTP/1.0 or 1.1 was expected, not `\(version)`"
        case .badField(let line): "a header field was expected, not `\(line)`"
        case .headTooLong(let limit): "a head of more than \(limit) bytes"
        case .tooManyFields(let limit): "more than \(limit) header fields"
        case .tooManyInterimResponses(let limit): "more than \(limit) interim responses"
        case .badContentLength(let value): "a length was expected, not `\(value)`"
        case .badTransferCoding(let value): "the transfer coding `\(value)` is not known"
        case .badChunk(let line): "a chunk was expected, not `\(line)`"
        case .truncated(let part): "the connection ended in the middle of \(part)"
        }
    }

    /// What the peer sent, fit for a log line: printable and short.
    static func quoted(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for (count, byte) in bytes.enumerated() {
            guard count < 40 else { return text + "…" }
            text.unicodeScalars.append(32...126 ~= byte ? Unicode.Scalar(byte) : "?")
        }
        return text
    }
}

/// How a peer violated HTTP, or exceeded our limits.
package enum HTTPParseError: Error, Equatable, Sendable, CustomStringConvertible {
    case badStatusLine(String)
    case badRequestLine(String)
    case badTarget(String)
    case badHost(String)
    case badVersion(String)
    case badField(String)
    /// A line ends with LF alone, where CR LF is needed.
    case bareLineFeed
    case startLineTooLong(limit: Int)
    case headTooLong(limit: Int)
    case tooManyFields(limit: Int)
    case tooManyInterimResponses(limit: Int)
    case badContentLength(String)
    case badTransferCoding(String)
    /// Content that is not accepted because of its length.
    case contentTooLong(limit: Int)
    case unknownExpectation(String)
    case badChunk(String)
    /// The connection ended before everything that was announced had come.
    case truncated(String)

    package var description: String {
        switch self {
        case .badStatusLine(let line): "a status line was expected, not `\(line)`"
        case .badRequestLine(let line): "a request line was expected, not `\(line)`"
        case .badTarget(let target): "`\(target)` cannot be asked for"
        case .badHost(let host): "one Host field is needed, not \(host)"
        case .badVersion(let version): "HTTP/1.0 or 1.1 was expected, not `\(version)`"
        case .badField(let line): "a header field was expected, not `\(line)`"
        case .bareLineFeed: "a line ends with LF alone"
        case .startLineTooLong(let limit): "a first line of more than \(limit) bytes"
        case .headTooLong(let limit): "a head of more than \(limit) bytes"
        case .tooManyFields(let limit): "more than \(limit) header fields"
        case .tooManyInterimResponses(let limit): "more than \(limit) interim responses"
        case .badContentLength(let value): "a length was expected, not `\(value)`"
        case .badTransferCoding(let value): "the transfer coding `\(value)` is not known"
        case .contentTooLong(let limit): "content of more than \(limit) bytes"
        case .unknownExpectation(let value): "the expectation `\(value)` cannot be met"
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

/// What comes before the content of a response.
package struct HTTPResponseHead: HTTPHead, Equatable, Sendable {
    /// The minor version: 0 for HTTP/1.0, 1 for HTTP/1.1.
    package var minorVersion: Int
    /// 100 to 599, or another number of three digits.
    package var status: Int
    /// The fields in the order in which they came.
    package var fields: [HTTPField]

    static let acceptsBareLineFeed = true

    /// Whether another response follows (RFC 9110, section 15.2). No response follows a 101, which
    /// ends HTTP on the connection.
    package var isInterim: Bool { 100...199 ~= status && status != 101 }

    package init(minorVersion: Int, status: Int, fields: [HTTPField]) {
        self.minorVersion = minorVersion
        self.status = status
        self.fields = fields
    }

    /// `HTTP/1.1 200 OK`. Some servers send neither a reason nor the space before it. Source: RFC
    /// 9112, section 4.
    init(startLine line: [UInt8]) throws(HTTPParseError) {
        let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts[0].starts(with: Array("HTTP/".utf8)) else {
            throw .badStatusLine(HTTPParseError.quoted(line))
        }
        let minorVersion = try HTTPVersion.minor(parts[0])
        guard parts.count >= 2, parts[1].count == 3, parts[1].allSatisfy(HTTPText.isDigit),
            parts.count < 3 || parts[2].allSatisfy(HTTPText.isText)
        else { throw .badStatusLine(HTTPParseError.quoted(line)) }
        let status = parts[1].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard status >= 100 else { throw .badStatusLine(HTTPParseError.quoted(line)) }
        self.init(minorVersion: minorVersion, status: status, fields: [])
    }
}

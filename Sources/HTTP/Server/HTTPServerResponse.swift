/// A server's answer.
package struct HTTPServerResponse: Sendable {
    /// What follows the head.
    package enum Content: Sendable {
        case bytes([UInt8])
        /// Content whose length is not known beforehand, such as an event stream. It ends when the
        /// function returns. The function's task is cancelled when the client has gone.
        case stream(@Sendable (HTTPContentWriter) async -> Void)
    }

    package var status: Int
    /// Without `Content-Length`, `Transfer-Encoding`, `Connection` and `Date`, which the server
    /// sets.
    package var fields: [HTTPField]
    package var content: Content
    /// Whether the connection ends after it.
    package var closesConnection = false

    package init(_ status: Int, fields: [HTTPField] = [], content: Content = .bytes([])) {
        self.status = status
        self.fields = fields
        self.content = content
    }

    /// A line of plain text.
    package static func text(_ status: Int, _ text: String) -> HTTPServerResponse {
        HTTPServerResponse(
            status, fields: [HTTPField("Content-Type", "text/plain; charset=utf-8")],
            content: .bytes(Array((text + "\n").utf8)))
    }

    /// What a client is told whose request cannot be read.
    static func refusal(_ error: HTTPParseError) -> HTTPServerResponse {
        var response = text(error.status, "\(error)")
        response.closesConnection = true
        return response
    }

    /// The head's bytes.
    /// - Parameters:
    ///   - request: what is answered; `nil` if it could not be read.
    ///   - date: see ``HTTPDate``.
    func encodedHead(answering request: HTTPRequestHead?, closes: Bool, date: String) -> [UInt8] {
        var text = "HTTP/1.1 \(status) \(HTTPStatus.reason(status))\r\nDate: \(date)\r\n"
        for field in fields { text += "\(field.name): \(Self.harmless(field.value))\r\n" }
        switch content {
        case .bytes(let bytes):
            // RFC 9110, section 8.6: not with 1xx and 204; with 304 it would be another length.
            if status >= 200, status != 204, status != 304 {
                text += "Content-Length: \(bytes.count)\r\n"
            }
        case .stream where isChunked(answering: request):
            text += "Transfer-Encoding: chunked\r\n"
        case .stream: break
        }
        if closes { text += "Connection: close\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// Whether the content is sent in chunks. HTTP/1.0 has none: there it ends with the connection.
    func isChunked(answering request: HTTPRequestHead?) -> Bool {
        guard case .stream = content else { return false }
        return request.map { $0.minorVersion >= 1 } ?? false
    }

    /// Whether content follows the head. Source: RFC 9110, section 6.4.1.
    func hasContent(answering request: HTTPRequestHead?) -> Bool {
        request?.method != "HEAD" && status >= 200 && status != 204 && status != 304
    }

    /// The value of a field without what would end it: a line end from somebody's text would begin
    /// another field.
    private static func harmless(_ value: String) -> String {
        guard value.utf8.contains(where: { !HTTPText.isText($0) }) else { return value }
        return String(
            decoding: value.utf8.map { HTTPText.isText($0) ? $0 : UInt8(ascii: " ") },
            as: UTF8.self)
    }
}

/// Names of status codes. Source: RFC 9110, section 15; RFC 6585.
enum HTTPStatus {
    /// Empty for one that has no name here.
    static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}

extension HTTPParseError {
    /// The status of the answer to a request with that fault.
    package var status: Int {
        switch self {
        case .badVersion: 505
        case .startLineTooLong: 414
        case .headTooLong, .tooManyFields: 431
        case .contentTooLong: 413
        case .badTransferCoding: 501
        case .unknownExpectation: 417
        case .truncated: 408
        case .badStatusLine, .badRequestLine, .badTarget, .badHost, .badField, .bareLineFeed,
            .badContentLength, .badChunk, .tooManyInterimResponses:
            400
        }
    }
}

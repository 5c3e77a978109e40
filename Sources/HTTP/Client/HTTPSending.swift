/// What stands between a part that asks over HTTP and the network, so that tests can answer.
package protocol HTTPSending: Sendable {
    /// The answer, whatever its status; its content is refused beyond the limit.
    func send(
        _ request: HTTPOutgoingRequest, within deadline: Duration, contentLimit: Int
    ) async throws(HTTPError) -> HTTPAnswer
}

package struct HTTPOutgoingRequest: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case none
        case bytes([UInt8])
        case file(path: String, offset: Int, count: Int)
    }

    package var method: String
    package var url: HTTPURL
    /// Without Host, Content-Length and Connection, which the client sets.
    package var fields: [HTTPField]
    package var content: Content

    package init(
        method: String = "GET", url: HTTPURL, fields: [HTTPField] = [], content: Content = .none
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.content = content
    }
}

package struct HTTPAnswer: Equatable, Sendable {
    package var status: Int
    package var fields: [HTTPField]
    package var content: [UInt8]

    package init(status: Int, fields: [HTTPField] = [], content: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.content = content
    }
}

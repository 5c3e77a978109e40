package import Transport

/// A server's answer. Its content has been dropped.
package struct HTTPResponse: Equatable, Sendable {
    package var head: HTTPResponseHead
    /// Whether all of the content came, within the limit and the deadline.
    package var isWhole: Bool

    package var status: Int { head.status }
    /// 2xx. A redirection is not followed and does not count.
    package var isSuccess: Bool { 200...299 ~= head.status }
}

/// Asks HTTP servers, with one connection for each question. Redirections are not followed.
///
/// ```swift
/// let client = HTTPClient(loop: loop)
/// let response = try await client.get(
///     .loopback(port: 4000), host: "localhost:4000", path: "/up", within: .seconds(2))
/// if response.isSuccess { … }
/// ```
package struct HTTPClient: Sendable {
    private let loop: EventLoop
    private let limits: HTTPLimits

    package init(loop: EventLoop, limits: HTTPLimits = HTTPLimits()) {
        self.loop = loop
        self.limits = limits
    }

    /// The final response. Once its head has come, problems with the content are not errors.
    /// - Parameters:
    ///   - path: see ``HTTPRequest/isPath(_:)``.
    ///   - deadline: for connecting and answering together.
    package func get(
        _ address: SocketAddress, host: String, path: String, within deadline: Duration
    ) async throws(HTTPError) -> HTTPResponse {
        let machine = HTTPExchange(
            "asking \(address) for \(path)", limits: limits, deadline: deadline)
        let request = HTTPRequest(host: host, path: path)
        return try await Exchange(machine, on: loop)
            .answer(to: request.encoded(), within: deadline) { [loop] in
                try await TCPStream.connect(to: address, timeout: deadline, on: loop)
            }
    }
}

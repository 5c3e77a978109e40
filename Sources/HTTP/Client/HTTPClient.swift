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

/// A server's answer with all of its content.
package struct HTTPAnswer: Equatable, Sendable {
    package var status: Int
    package var fields: [HTTPField]
    package var content: [UInt8]

    package init(status: Int, fields: [HTTPField] = [], content: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.content = content
    }

    /// 2xx. A redirection is not followed and does not count.
    package var isSuccess: Bool { 200...299 ~= status }
}

/// Whatever can send a request: ``HTTPClient``, or a test's own.
package protocol HTTPSending: Sendable {
    /// The whole answer, whatever its status. Redirections are not followed.
    /// - Parameters:
    ///   - deadline: for everything together, from resolving the name to the answer's last byte.
    ///   - contentLimit: more content than that is an error.
    func send(
        _ request: HTTPRequest, within deadline: Duration, contentLimit: Int
    ) async throws(HTTPError) -> HTTPAnswer
}

/// Asks HTTP servers, with one connection for each question. Redirections are not followed.
///
/// ```swift
/// let client = HTTPClient(loop: loop)
/// let response = try await client.get(
///     .loopback(port: 4000), host: "localhost:4000", path: "/up", within: .seconds(2))
/// if response.isSuccess { … }
/// ```
/// A server that is asked over https must show a certificate for its name from an authority of
/// the trust given.
package struct HTTPClient: HTTPSending {
    private let loop: EventLoop
    private let limits: HTTPLimits
    private let connector: HTTPConnector

    package init(
        loop: EventLoop, limits: HTTPLimits = HTTPLimits(), trust: HTTPTrust = HTTPTrust(),
        proxies: HTTPProxies = HTTPProxies()
    ) {
        self.init(
            limits, HTTPConnector(loop: loop, proxies: proxies, trust: trust, listeners: nil))
    }

    private init(_ limits: HTTPLimits, _ connector: HTTPConnector) {
        loop = connector.loop
        self.limits = limits
        self.connector = connector
    }

    /// The same client without proxies, for servers on this host or beside it.
    /// - Parameter listeners: whose servers on this host may hear a secret, and are believed.
    package func direct(believing listeners: ListenerTrust) -> HTTPClient {
        HTTPClient(
            limits,
            HTTPConnector(
                loop: loop, proxies: HTTPProxies(), trust: connector.trust, listeners: listeners))
    }

    /// The final response. Once its head has come, problems with the content are not errors.
    /// - Parameters:
    ///   - host: `HOST` or `HOST:PORT`, for the Host field.
    ///   - path: see ``HTTPRequest/isPath(_:)``.
    ///   - deadline: for connecting and answering together.
    package func get(
        _ address: SocketAddress, host: String, path: String, within deadline: Duration
    ) async throws(HTTPError) -> HTTPResponse {
        let attempt = "asking \(address) for \(path)"
        let request: HTTPRequest
        do throws(HTTPURLError) {
            request = HTTPRequest("GET", try HTTPURL("http://\(host)\(path)"))
        } catch {
            throw .unusable(attempt: attempt, reason: "\(error)")
        }
        let call = HTTPCall(
            attempt, method: request.method, limits: limits, sink: .dropped, deadline: deadline,
            loop: loop)
        let outcome = try await call.run(head: request.head(), content: .none) { [loop] in
            try await TCPStream.connect(to: address, timeout: deadline, on: loop)
        }
        return HTTPResponse(head: outcome.head, isWhole: outcome.isWhole)
    }

    package func send(
        _ request: HTTPRequest, within deadline: Duration, contentLimit: Int
    ) async throws(HTTPError) -> HTTPAnswer {
        try await run(request, .collected(limit: contentLimit), within: deadline)
    }

    /// The same for a request whose content takes long to send.
    /// - Parameters:
    ///   - idle: how long the server may neither take nor send anything.
    ///   - sent: called on the loop's thread with how many bytes of the content have left.
    package func upload(
        _ request: HTTPRequest, within deadline: Duration, idle: Duration, contentLimit: Int,
        sent: @escaping @Sendable (Int64) -> Void
    ) async throws(HTTPError) -> HTTPAnswer {
        try await run(
            request, .collected(limit: contentLimit), within: deadline, idle: idle, sent: sent)
    }

    /// Sends the request and writes the content as it comes. Reading waits for the disk.
    /// - Returns: the answer. Its content is empty when it was written.
    /// - Throws: also when not all of the content came. What came has been written then.
    package func download(
        _ request: HTTPRequest, to download: HTTPDownload, within deadline: Duration,
        contentLimit: Int = 64 << 10
    ) async throws(HTTPError) -> HTTPAnswer {
        try await run(
            request, .written(download, collectedLimit: contentLimit), within: deadline,
            idle: download.idle)
    }

    private func run(
        _ request: HTTPRequest, _ sink: HTTPSink, within deadline: Duration, idle: Duration? = nil,
        sent: (@Sendable (Int64) -> Void)? = nil
    ) async throws(HTTPError) -> HTTPAnswer {
        let url = request.url
        let attempt = "\(request.method) \(url)"
        if let problem = request.problem { throw .unusable(attempt: attempt, reason: problem) }
        let proxy = url.scheme == .http ? connector.proxies.proxy(for: url) : nil
        let call = HTTPCall(
            attempt, method: request.method, limits: limits, sink: sink, deadline: deadline,
            idle: idle, loop: loop, sent: sent)
        let outcome = try await call.run(
            head: request.head(throughProxy: proxy?.fields), content: request.content
        ) { [connector] in
            try await connector.connect(to: url, within: deadline)
        }
        return HTTPAnswer(
            status: outcome.head.status, fields: outcome.head.fields, content: outcome.content)
    }
}

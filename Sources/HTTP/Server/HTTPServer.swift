package import Transport

/// An HTTP/1.1 server on an event loop. It answers each request with what its handler returns.
///
/// Source: RFC 9110, RFC 9112. HTTP/1.0 is understood; such connections are closed after one
/// answer. There is no upgrade to another protocol.
package actor HTTPServer {
    /// Answers a request. It runs on the loop, and its task is cancelled when the client has gone.
    package typealias Handler = @Sendable (HTTPServerRequest) async -> HTTPServerResponse

    package struct Limits: Equatable, Sendable {
        /// Of each connection.
        package var connection = HTTPServerMachine.Limits()
        /// Connections at a time. Beyond it a newcomer is told `503` and closed. Default: 512.
        package var connectionCount = 512
        /// Connections from one source at a time, see ``PeerSource``; this host's have no such
        /// limit, because a proxy may stand before us. Default: 64.
        package var connectionCountOfSource = 64
        /// What may wait for one client. Default: 8 MiB.
        package var queuedByteCount = 8 << 20

        package init() {}
    }

    private struct Client {
        var connection: HTTPServerConnection
        var source: PeerSource
    }

    private nonisolated let loop: EventLoop
    private let tls: TLSContext?
    private let limits: Limits
    private let handler: Handler
    private var listener: TCPListener?
    private var clients: [Int: Client] = [:]
    private var countOfSource: [PeerSource: Int] = [:]
    private var nextClient = 0
    /// How many clients are connected.
    package private(set) var connectionCount = 0

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameter tls: a server's context, for HTTPS.
    package init(
        loop: EventLoop, tls: TLSContext? = nil, limits: Limits = Limits(),
        handler: @escaping Handler
    ) {
        self.loop = loop
        self.tls = tls
        self.limits = limits
        self.handler = handler
    }

    /// Listens and serves until ``stop()``.
    /// - Returns: the address with the port that the kernel chose if 0 was asked for.
    @discardableResult
    package func start(on address: SocketAddress) throws(SystemError) -> SocketAddress {
        precondition(listener == nil, "A server starts once")
        let listener = try TCPListener(on: address, loop: loop, limits: streamLimits)
        try listener.start { stream in self.assumeIsolated { $0.accepted(stream) } }
        self.listener = listener
        return listener.address
    }

    /// Stops listening, and ends every connection.
    package func stop() {
        listener?.close()
        listener = nil
        for client in clients.values { client.connection.assumeIsolated { $0.close() } }
    }

    private func accepted(_ stream: TCPStream) {
        let source = PeerSource(stream.peerAddress)
        let isLocal = stream.peerAddress.isLoopback
        guard connectionCount < limits.connectionCount,
            isLocal || countOfSource[source, default: 0] < limits.connectionCountOfSource
        else { return turnAway(stream) }
        nextClient += 1
        let id = nextClient
        connectionCount += 1
        countOfSource[source, default: 0] += 1
        guard let tls else { return serve(stream, isSecure: false, id, source) }
        Task(executorPreference: loop) {
            // A renewed certificate is taken here.
            await tls.look()
            await self.encrypt(stream, tls, id, source)
        }
    }

    private func encrypt(_ stream: TCPStream, _ tls: TLSContext, _ id: Int, _ source: PeerSource) {
        guard listener != nil else {
            leave(source)
            return stream.close()
        }
        do throws(TLSConfigurationError) {
            serve(
                try TLSStream(accepting: stream, tls, on: loop, limits: streamLimits),
                isSecure: true, id, source)
        } catch {
            // OpenSSL has no memory, and the stream is closed.
            leave(source)
        }
    }

    private var streamLimits: StreamLimits {
        var streams = StreamLimits()
        streams.queuedByteCount = limits.queuedByteCount
        return streams
    }

    private func serve(_ stream: any ByteStream, isSecure: Bool, _ id: Int, _ source: PeerSource) {
        let connection = HTTPServerConnection(
            stream, isSecure: isSecure, loop: loop, limits: limits.connection, handler: handler,
            ended: { self.assumeIsolated { $0.ended(id) } })
        clients[id] = Client(connection: connection, source: source)
        connection.assumeIsolated { $0.start() }
    }

    private func ended(_ id: Int) {
        guard let client = clients.removeValue(forKey: id) else { return }
        leave(client.source)
    }

    private func leave(_ source: PeerSource) {
        connectionCount -= 1
        let count = countOfSource[source, default: 0] - 1
        countOfSource[source] = count > 0 ? count : nil
    }

    /// The answer may be lost, since nothing is read. Over TLS there is none.
    private func turnAway(_ stream: TCPStream) {
        guard tls == nil else { return stream.close() }
        let response = HTTPServerResponse.text(503, "too many connections: try again")
        stream.send(
            response.encodedHead(
                answering: nil, closes: true, date: HTTPDate.now))
        if case .bytes(let bytes) = response.content { stream.send(bytes) }
        stream.finish()
    }
}

internal import Transport

/// Connects to servers: directly or through a proxy, with TLS for https.
struct HTTPConnector: Sendable {
    let loop: EventLoop
    let proxies: HTTPProxies
    let trust: HTTPTrust
    /// Whose listeners on this host are believed; `nil` for everybody's.
    var listeners: ListenerTrust?

    /// How long one of several addresses may take.
    private static let patience = Duration.seconds(10)

    /// A stream that has not been started, for the caller's loop.
    func connect(
        to url: HTTPURL, within timeout: Duration
    ) async throws -> any ByteStream {
        let proxy = proxies.proxy(for: url)
        let tcp: TCPStream
        if let proxy {
            do {
                tcp = try await connect(proxy.host, proxy.port, timeout)
            } catch {
                throw ConnectFailure("the proxy \(proxy) is not available: \(Self.reason(error))")
            }
        } else {
            tcp = try await connect(url.host, url.port, timeout)
        }
        guard url.scheme == .https else { return tcp }
        if let proxy {
            let answer = await ProxyTunnel(tcp, to: url, proxy, loop).open(
                within: min(timeout, .seconds(30)))
            if let problem = answer {
                throw ConnectFailure("the proxy \(proxy) \(problem)")
            }
        }
        let context: TLSContext
        do throws(TLSConfigurationError) {
            context = try await trust.current()
        } catch {
            tcp.close()
            throw error
        }
        return try TLSStream(
            connecting: tcp, to: url.host, context, on: loop,
            handshakeTimeout: min(timeout, Self.patience))
    }

    private func connect(
        _ host: String, _ port: UInt16, _ timeout: Duration
    ) async throws -> TCPStream {
        let addresses = try await SocketAddress.resolve(host, port: port)
        var failure: any Error = ConnectFailure("\(host) has no address")
        // A name with very many addresses is not worth the time.
        for address in addresses.prefix(8) {
            do {
                let timeout = min(timeout, Self.patience)
                guard let listeners else {
                    return try await TCPStream.connect(to: address, timeout: timeout, on: loop)
                }
                return try await listeners.connect(to: address, timeout: timeout, on: loop)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    static func reason(_ error: any Error) -> String {
        (error as? SystemError).map { SystemError.text($0.code) } ?? "\(error)"
    }
}

struct ConnectFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Asks a proxy for a tunnel (RFC 9110, section 9.3.6). Confined to the loop's thread.
private final class ProxyTunnel: @unchecked Sendable {
    private let tcp: TCPStream
    private let url: HTTPURL
    private let proxy: HTTPProxies.Proxy
    private let loop: EventLoop
    private var parser = HTTPHeadParser<HTTPResponseHead>()
    private var waiter: CheckedContinuation<String?, Never>?
    private var timer: LoopTimer?

    init(_ tcp: TCPStream, to url: HTTPURL, _ proxy: HTTPProxies.Proxy, _ loop: EventLoop) {
        self.tcp = tcp
        self.url = url
        self.proxy = proxy
        self.loop = loop
    }

    /// - Returns: what is wrong; `nil` once the tunnel is open and `tcp` can be started
    ///   anew. With a problem `tcp` is closed.
    func open(within timeout: Duration) async -> String? {
        var text = "CONNECT \(url.target) HTTP/1.1\r\nHost: \(url.target)\r\n"
        for field in proxy.fields { text += "\(field.name): \(field.value)\r\n" }
        let request = Array((text + "\r\n").utf8)
        return await withCheckedContinuation { continuation in
            // Whoever connects need not be on the loop.
            loop.execute { [self] in start(request, timeout, continuation) }
        }
    }

    private func start(
        _ request: [UInt8], _ timeout: Duration, _ continuation: CheckedContinuation<String?, Never>
    ) {
        waiter = continuation
        timer = loop.schedule(after: timeout) { [self] in finish("does not answer") }
        tcp.start(
            receive: { [self] bytes in received([UInt8](copying: bytes)) },
            end: { [self] reason in finish("ends the connection: \(reason.reason)") })
        tcp.send(request)
    }

    private func received(_ bytes: [UInt8]) {
        var rest = bytes[...]
        do throws(HTTPParseError) {
            guard let head = try parser.parse(&rest) else { return }
            guard 200...299 ~= head.status else {
                return finish(
                    head.status == 407
                        ? "wants a user and a password: http://USER:PASSWORD@\(proxy)"
                        : "refuses a tunnel to \(url.target): status \(head.status)")
            }
            // In TLS the client speaks first.
            guard rest.isEmpty, tcp.queuedByteCount == 0 else {
                return finish("speaks before TLS does")
            }
            tcp.handOver()
            finish(nil)
        } catch {
            finish("answers nonsense: \(error)")
        }
    }

    private func finish(_ problem: String?) {
        timer?.cancel()
        if problem != nil { tcp.close() }
        waiter.take()?.resume(returning: problem)
    }
}

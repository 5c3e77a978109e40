internal import Deployment
internal import Transport

/// Asks an instance over HTTP whether it is ready: a GET of one path at 127.0.0.1 that must answer
/// with a status from 200 to 299 before the deadline.
///
/// Source: RFC 9112, sections 3 and 4.
actor HTTPReadiness {
    private nonisolated let loop: EventLoop
    private let address: SocketAddress
    private let configuration: ApplicationConfiguration.HTTPReadiness
    private var head: [UInt8] = []
    private var stream: TCPStream?
    private var timer: LoopTimer?
    private var outcome: Readiness?
    private var waiter: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        _ configuration: ApplicationConfiguration.HTTPReadiness, port: UInt16, loop: EventLoop
    ) {
        self.configuration = configuration
        self.loop = loop
        address = .loopback(port: port)
    }

    /// Called once.
    func check() async -> Readiness {
        timer = loop.schedule(after: configuration.timeout) { [self] in
            assumeIsolated {
                $0.end(.notReady("\($0.place) did not answer within \($0.configuration.timeout)"))
            }
        }
        // Not awaited: connecting ends by its own timeout.
        Task { await connect() }
        if outcome == nil { await withCheckedContinuation { waiter = $0 } }
        guard let outcome else { preconditionFailure("A check waits for its outcome") }
        return outcome
    }

    private var place: String { "http://\(address)\(configuration.path)" }

    private func connect() async {
        do {
            let stream = try await TCPStream.connect(
                to: address, timeout: configuration.timeout, on: loop)
            guard outcome == nil else { return stream.close() }
            self.stream = stream
        } catch {
            return end(.notReady("\(place) cannot be reached: \(error)"))
        }
        stream?.start(
            receive: { bytes in
                var copy: [UInt8] = []
                for index in bytes.indices { copy.append(bytes[index]) }
                self.assumeIsolated { $0.received(copy) }
            },
            end: { reason in
                self.assumeIsolated { $0.end(.notReady("\($0.place) did not answer: \(reason)")) }
            })
        let request =
            "GET \(configuration.path) HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: deployex\r\n"
            + "Connection: close\r\n\r\n"
        stream?.send(Array(request.utf8))
    }

    private func received(_ bytes: [UInt8]) {
        head += bytes.prefix(Self.maximumByteCount - head.count)
        switch Self.status(head) {
        case .incomplete: break
        case .status(let code) where 200...299 ~= code: end(.ready)
        case .status(let code): end(.notReady("\(place) answers with status \(code)"))
        case .noHTTP: end(.notReady("\(place) does not answer in HTTP"))
        }
    }

    private func end(_ outcome: Readiness) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        timer?.cancel()
        stream?.close()
        stream = nil
        waiter?.resume()
        waiter = nil
    }

    // MARK: The status line

    enum StatusLine: Equatable {
        case incomplete
        case status(Int)
        case noHTTP
    }

    private static let maximumByteCount = 256

    /// What an answer that begins so says: `HTTP/1.1 200 OK`. The reason after the code is optional.
    static func status(_ bytes: [UInt8]) -> StatusLine {
        guard let end = bytes.firstIndex(of: 0x0A) else {
            return bytes.count < maximumByteCount ? .incomplete : .noHTTP
        }
        let words = bytes[..<end].split { $0 == 0x20 || $0 == 0x0D }
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8), words[1].count == 3,
            let code = Int(String(decoding: words[1], as: UTF8.self)), code >= 100
        else { return .noHTTP }
        return .status(code)
    }
}

internal import Transport

/// One request and its reply on a connection of its own.
actor EPMDExchange<Decoder: EPMDReplyDecoder> {
    private let loop: EventLoop
    private let attempt: String
    private let timeout: Duration
    private var decoder: Decoder
    private var stream: TCPStream?
    private var timer: LoopTimer?
    private var outcome: Result<Decoder.Reply, EPMDError>?
    private var waiter: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameter attempt: What is being done, for errors ("looking up `a` at 127.0.0.1:4369").
    init(_ attempt: String, decoder: Decoder, timeout: Duration, loop: EventLoop) {
        self.attempt = attempt
        self.decoder = decoder
        self.timeout = timeout
        self.loop = loop
    }

    /// The reply. The timeout covers connecting and answering together.
    func reply(
        to request: EPMDRequest, from address: SocketAddress, _ trust: ListenerTrust
    ) async throws(EPMDError) -> Decoder.Reply {
        let bytes: [UInt8]
        do throws(EPMDRequestError) { bytes = try request.encoded() } catch {
            throw .badRequest(attempt: attempt, error)
        }
        timer = loop.schedule(after: timeout) { [self] in
            assumeIsolated { $0.end(.failure(.timedOut(attempt: $0.attempt, after: $0.timeout))) }
        }
        await withTaskCancellationHandler {
            // Not awaited: a cancelled caller need not wait for connect(2), which ends by its
            // timeout.
            Task { await connect(to: address, trust, sending: bytes) }
            if outcome == nil { await withCheckedContinuation { waiter = $0 } }
        } onCancel: {
            Task { await self.cancel() }
        }
        guard let outcome else { preconditionFailure("An exchange waits for its outcome") }
        return try outcome.get()
    }

    private func connect(
        to address: SocketAddress, _ trust: ListenerTrust, sending bytes: [UInt8]
    ) async {
        guard outcome == nil else { return }
        do {
            let stream = try await trust.connect(to: address, timeout: timeout, on: loop)
            guard outcome == nil else { return stream.close() }
            self.stream = stream
        } catch {
            return end(.failure(EPMDError(ofFailedConnect: error, attempt: attempt)))
        }
        stream?.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { $0.received(copy) }
            },
            end: { reason in self.assumeIsolated { $0.ended(reason) } })
        stream?.send(bytes)
        loop.expectAnswer()
    }

    private func received(_ bytes: [UInt8]) {
        do throws(EPMDReplyError) {
            if let reply = try decoder.receive(bytes) { end(.success(reply)) }
        } catch {
            end(.failure(.badReply(attempt: attempt, error)))
        }
    }

    private func ended(_ reason: StreamEnd) {
        switch reason {
        case .closedByPeer:
            do throws(EPMDReplyError) {
                end(.success(try decoder.connectionClosed()))
            } catch {
                end(.failure(.badReply(attempt: attempt, error)))
            }
        case .failed, .sendQueueFull, .sendTimedOut, .tls:
            end(.failure(.unreachable(attempt: attempt, reason: reason.reason)))
        }
    }

    private func cancel() {
        end(.failure(.stopped(attempt: attempt)))
    }

    private func end(_ outcome: Result<Decoder.Reply, EPMDError>) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        timer?.cancel()
        stream?.close()
        stream = nil
        waiter?.resume()
        waiter = nil
    }
}

extension EPMDError {
    /// Why connecting failed, or what listens is not believed.
    init(ofFailedConnect error: any Error, attempt: String) {
        switch error {
        // One that has begun to listen just now, as a rule: the next attempt tells.
        case let error as ListenerRefusal where error.reason == .changed:
            self = .unreachable(attempt: attempt, reason: error.text("EPMD"))
        case let error as ListenerRefusal: self = .untrusted(attempt: attempt, error)
        case let error as SystemError:
            self = .unreachable(attempt: attempt, reason: SystemError.text(error.code))
        default: self = .unreachable(attempt: attempt, reason: "\(error)")
        }
    }
}

extension StreamEnd {
    /// The reason alone, for an error that says itself what was attempted.
    var reason: String {
        switch self {
        case .failed(let error): SystemError.text(error.code)
        case .closedByPeer, .sendQueueFull, .sendTimedOut, .tls: description
        }
    }
}

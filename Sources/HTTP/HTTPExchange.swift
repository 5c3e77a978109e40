internal import Transport

/// One request and its response on a connection of its own.
actor HTTPExchange {
    private let loop: EventLoop
    private let request: HTTPRequest
    private let deadline: Duration
    private var attempt = ""
    private var machine: HTTPResponseMachine
    private var stream: TCPStream?
    private var timer: LoopTimer?
    private var outcome: Result<HTTPResponse, HTTPError>?
    private var waiter: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ request: HTTPRequest, limits: HTTPLimits, deadline: Duration, loop: EventLoop) {
        self.request = request
        self.deadline = deadline
        self.loop = loop
        machine = HTTPResponseMachine(limits: limits)
    }

    func response(from address: SocketAddress) async throws(HTTPError) -> HTTPResponse {
        attempt = "asking \(address) for \(request.path)"
        timer = loop.schedule(after: deadline) { [self] in
            assumeIsolated { $0.timedOut() }
        }
        await withTaskCancellationHandler {
            // Not awaited: a cancelled caller need not wait for connect(2), which ends by its
            // deadline.
            Task { await connect(to: address) }
            if outcome == nil { await withCheckedContinuation { waiter = $0 } }
        } onCancel: {
            Task { await self.cancel() }
        }
        guard let outcome else { preconditionFailure("An exchange waits for its outcome") }
        return try outcome.get()
    }

    private func connect(to address: SocketAddress) async {
        guard outcome == nil else { return }
        do {
            let stream = try await TCPStream.connect(to: address, timeout: deadline, on: loop)
            guard outcome == nil else { return stream.close() }
            self.stream = stream
        } catch {
            let reason = (error as? SystemError).map { SystemError.text($0.code) } ?? "\(error)"
            return end(.failure(.unreachable(attempt: attempt, reason: reason)))
        }
        stream?.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { $0.perform($0.machine.received(copy)) }
            },
            end: { reason in self.assumeIsolated { $0.ended(reason) } })
        stream?.send(request.encoded())
    }

    private func ended(_ reason: StreamEnd) {
        // A server may reset the connection after it has answered.
        if reason == .closedByPeer || machine.head != nil {
            return perform(machine.connectionClosed())
        }
        let text =
            if case .failed(let error) = reason {
                SystemError.text(error.code)
            } else {
                reason.description
            }
        end(.failure(.unreachable(attempt: attempt, reason: text)))
    }

    private func perform(_ action: HTTPResponseMachine.Action) {
        switch action {
        case .wait: break
        case .complete(let head): end(.success(HTTPResponse(head: head, isWhole: true)))
        case .completeWithoutEnd(let head):
            end(.success(HTTPResponse(head: head, isWhole: false)))
        case .fail(let error): end(.failure(.badResponse(attempt: attempt, error)))
        }
    }

    private func timedOut() {
        if let head = machine.head {
            end(.success(HTTPResponse(head: head, isWhole: false)))
        } else {
            end(.failure(.timedOut(attempt: attempt, after: deadline)))
        }
    }

    private func cancel() {
        end(.failure(.stopped(attempt: attempt)))
    }

    private func end(_ outcome: Result<HTTPResponse, HTTPError>) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        timer?.cancel()
        stream?.close()
        stream = nil
        waiter?.resume()
        waiter = nil
    }
}

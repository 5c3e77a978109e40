/// Interprets the bytes of an ``Exchange``. It reads neither a socket nor a clock.
package protocol ExchangeMachine: Sendable {
    associatedtype Answer: Sendable
    associatedtype Failure: Error

    /// Takes bytes of the answer; `nil` while more must come.
    mutating func received(_ bytes: [UInt8]) -> Result<Answer, Failure>?
    /// The connection has ended by itself. Some answers end this way.
    mutating func ended(_ reason: StreamEnd) -> Result<Answer, Failure>
    func timedOut() -> Result<Answer, Failure>
    func couldNotConnect(_ error: any Error) -> Failure
    /// The task that waits was cancelled.
    func stopped() -> Failure
}

/// One request and its answer on a connection of its own.
package actor Exchange<Machine: ExchangeMachine> {
    private let loop: EventLoop
    private var machine: Machine
    private var stream: TCPStream?
    private var timer: LoopTimer?
    private var outcome: Result<Machine.Answer, Machine.Failure>?
    private var waiter: CheckedContinuation<Void, Never>?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    package init(_ machine: Machine, on loop: EventLoop) {
        self.machine = machine
        self.loop = loop
    }

    /// The answer. The timeout covers connecting and answering together.
    package func answer(
        to request: [UInt8], within timeout: Duration,
        connect: @escaping @Sendable () async throws -> TCPStream
    ) async throws(Machine.Failure) -> Machine.Answer {
        timer = loop.schedule(after: timeout) { [self] in
            assumeIsolated { $0.end($0.machine.timedOut()) }
        }
        await withTaskCancellationHandler {
            // This is not awaited: a cancelled caller need not wait for connect(2), which its own
            // timeout ends.
            Task { await begin(request, connect) }
            if outcome == nil { await withCheckedContinuation { waiter = $0 } }
        } onCancel: {
            Task { await self.cancel() }
        }
        guard let outcome else { preconditionFailure("An exchange waits for its outcome") }
        return try outcome.get()
    }

    private func begin(
        _ request: [UInt8], _ connect: @Sendable () async throws -> TCPStream
    ) async {
        guard outcome == nil else { return }
        do {
            let stream = try await connect()
            guard outcome == nil else { return stream.close() }
            self.stream = stream
        } catch {
            return end(.failure(machine.couldNotConnect(error)))
        }
        stream?.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { $0.received(copy) }
            },
            end: { reason in self.assumeIsolated { $0.end($0.machine.ended(reason)) } })
        stream?.send(request)
        loop.expectAnswer()
    }

    private func received(_ bytes: [UInt8]) {
        if let outcome = machine.received(bytes) { end(outcome) }
    }

    private func cancel() {
        end(.failure(machine.stopped()))
    }

    private func end(_ outcome: Result<Machine.Answer, Machine.Failure>) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        timer?.cancel()
        stream?.close()
        stream = nil
        waiter?.resume()
        waiter = nil
    }
}

package import Transport

/// Stops what a killed deployex has left running. It is known by its recorded identity alone.
package enum LeftoverSession {
    package enum Outcome: Equatable, Sendable {
        /// No running process has that identity; nothing was signalled.
        case notRunning
        /// It ended; with `killed`, only after SIGKILL.
        case stopped(killed: Bool)
        /// Members that not even SIGKILL ended.
        case survived(count: Int)
    }

    /// Sends SIGTERM to the leader, waits up to `timeout`, then kills the whole session. Called on
    /// the loop's thread, by an actor that is pinned to it.
    package nonisolated(nonsending) static func stop(
        _ identity: ProcessIdentity, timeout: Duration = .seconds(10), on loop: EventLoop
    ) async throws -> Outcome {
        let wait = LeftoverWait()
        let session = try await ProcessSession.adopt(identity, on: loop) { wait.received($0) }
        guard let session else { return .notRunning }
        session.terminate()
        let timer = loop.schedule(after: timeout) { wait.kill(session, on: loop) }
        defer { timer.cancel() }
        return await withCheckedContinuation { wait.start($0) }
    }
}

/// Confined to the loop's thread.
private final class LeftoverWait: @unchecked Sendable {
    private var continuation: CheckedContinuation<LeftoverSession.Outcome, Never>?
    private var outcome: LeftoverSession.Outcome?
    private var hasExited = false
    private var isKilled = false

    func start(_ continuation: CheckedContinuation<LeftoverSession.Outcome, Never>) {
        if let outcome {
            continuation.resume(returning: outcome)
        } else {
            self.continuation = continuation
        }
    }

    /// Repeats until the leader has gone: a search may miss a process that is just being made.
    func kill(_ session: ProcessSession, on loop: EventLoop) {
        guard !hasExited else { return }
        isKilled = true
        session.killSession()
        loop.schedule(after: .seconds(1)) { [self] in kill(session, on: loop) }
    }

    func received(_ event: ProcessSession.Event) {
        switch event {
        case .exited:
            hasExited = true
        case .ended(let survivors):
            let outcome: LeftoverSession.Outcome =
                survivors == 0 ? .stopped(killed: isKilled) : .survived(count: survivors)
            self.outcome = outcome
            continuation?.resume(returning: outcome)
            continuation = nil
        }
    }
}

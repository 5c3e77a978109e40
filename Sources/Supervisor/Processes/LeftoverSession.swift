package import Transport

/// Stops what a killed deployex has left running. Only the recorded identity identifies it.
package enum LeftoverSession {
    package enum Outcome: Equatable, Sendable {
        /// No running process has that identity; nothing was signalled.
        case notRunning
        /// It ended; if `killed`, only after SIGKILL.
        case stopped(killed: Bool)
        /// Some members have survived even SIGKILL so far, for example one that waits for a file
        /// system which does not answer.
        case survived(count: Int)
    }

    /// Asks the session to end, waits up to `timeout`, then kills the rest of it. It waits at most
    /// ten seconds for that, so that a start is not held up for ever. Called on the loop's thread,
    /// by an actor that is pinned to it.
    /// - Parameter others: processes that have left the session, and end with it.
    package nonisolated(nonsending) static func stop(
        _ identity: ProcessIdentity, others: [ProcessIdentity] = [],
        timeout: Duration = .seconds(10),
        in host: any ProcessHost, on loop: any SerialLoop
    ) async throws -> Outcome {
        let wait = LeftoverWait()
        let session = try await host.adopt(identity, others: others) { wait.received($0) }
        guard let session else { return .notRunning }
        session.terminate()
        let timer = loop.schedule(after: timeout) {
            wait.kill(times: 10, on: loop) { session.killSession() }
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { wait.start($0) }
    }
}

/// Confined to the loop's thread.
final class LeftoverWait: @unchecked Sendable {
    private var continuation: CheckedContinuation<LeftoverSession.Outcome, Never>?
    private var outcome: LeftoverSession.Outcome?
    private var isKilled = false

    func start(_ continuation: CheckedContinuation<LeftoverSession.Outcome, Never>) {
        if let outcome {
            continuation.resume(returning: outcome)
        } else {
            self.continuation = continuation
        }
    }

    /// Repeats until nothing is left: a search may miss a process that is just being made. The wait
    /// ends after `times` attempts.
    func kill(
        times: Int, every interval: Duration = .seconds(1), on loop: any SerialLoop,
        _ kill: @escaping @Sendable () -> Void
    ) {
        guard outcome == nil else { return }
        guard times > 0 else { return end(.survived(count: 1)) }
        isKilled = true
        kill()
        loop.schedule(after: interval) { [self] in
            self.kill(times: times - 1, every: interval, on: loop, kill)
        }
    }

    func received(_ event: ProcessSession.Event) {
        switch event {
        case .left, .exited: break
        case .ended(let survivors):
            end(survivors == 0 ? .stopped(killed: isKilled) : .survived(count: survivors))
        }
    }

    private func end(_ outcome: LeftoverSession.Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}

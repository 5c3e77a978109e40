internal import ErlDist
internal import Supervisor
internal import Transport

/// Begins one application, again and again until it succeeds. A problem with its folders or records
/// ends neither deployex nor another application.
final class ApplicationStart: Sendable {
    private let loop: EventLoop
    private let backoff: Backoff
    private let log: @Sendable (LogLevel, String) -> Void
    private let onFailure: @Sendable (String) async -> Void
    private let failure = Guarded<String?>(nil)
    /// Who waits for the end of the first attempt; `nil` when it has ended.
    private let waiters = Guarded<[CheckedContinuation<Void, Never>]?>([])

    init(
        loop: EventLoop, backoff: Backoff = Backoff(),
        log: @escaping @Sendable (LogLevel, String) -> Void,
        onFailure: @escaping @Sendable (String) async -> Void = { _ in }
    ) {
        self.onFailure = onFailure
        self.loop = loop
        self.backoff = backoff
        self.log = log
    }

    /// Why the latest attempt failed; `nil` before the first one has ended, and after one has
    /// succeeded.
    var problem: String? { failure.withLock { $0 } }

    /// Returns when an attempt has succeeded or the task is cancelled.
    func run(_ attempt: () async throws -> Void) async {
        defer { endFirstAttempt() }
        var count = 0
        while !Task.isCancelled {
            do {
                try await attempt()
                return await failed(nil)
            } catch {
                await failed("\(error)")
            }
            endFirstAttempt()
            count += 1
            await loop.sleep(for: backoff.delay(consecutiveCrashes: count))
        }
    }

    /// Returns when the first attempt has ended, well or not, or none will be made.
    func firstAttemptEnded() async {
        await withCheckedContinuation { continuation in
            let waits = waiters.withLock { waiters in
                waiters?.append(continuation)
                return waiters != nil
            }
            if !waits { continuation.resume() }
        }
    }

    private func endFirstAttempt() {
        for waiter in waiters.withLock({ $0.take() }) ?? [] { waiter.resume() }
    }

    /// Logs each reason once.
    private func failed(_ reason: String?) async {
        let before = failure.withLock { failure in
            defer { failure = reason }
            return failure
        }
        guard let reason, reason != before else { return }
        await onFailure(reason)
        log(.error, "Application is not begun: \(reason); it is tried again")
    }
}

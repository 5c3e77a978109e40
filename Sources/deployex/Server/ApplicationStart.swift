internal import ErlDist
internal import Supervisor
internal import Transport

/// Begins one application, again and again until that succeeds: what is wrong with its folders and records is
/// its own trouble, which ends neither deployex nor another application.
final class ApplicationStart: Sendable {
    private let loop: EventLoop
    private let backoff: Backoff
    private let log: @Sendable (LogLevel, String) -> Void
    private let onFailure: @Sendable (String) -> Void
    private let failure = Guarded<String?>(nil)

    init(
        loop: EventLoop, backoff: Backoff = Backoff(),
        log: @escaping @Sendable (LogLevel, String) -> Void,
        onFailure: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.onFailure = onFailure
        self.loop = loop
        self.backoff = backoff
        self.log = log
    }

    /// Why the latest attempt failed; `nil` before the first has ended, and when one has succeeded.
    var problem: String? { failure.withLock { $0 } }

    /// Returns when an attempt has succeeded, or the task is cancelled.
    func run(_ attempt: () async throws -> Void) async {
        var count = 0
        while !Task.isCancelled {
            do {
                try await attempt()
                return failed(nil)
            } catch {
                failed("\(error)")
            }
            count += 1
            await loop.sleep(for: backoff.delay(consecutiveCrashes: count))
        }
    }

    /// The log says a reason once.
    private func failed(_ reason: String?) {
        let before = failure.withLock { failure in
            defer { failure = reason }
            return failure
        }
        guard let reason, reason != before else { return }
        onFailure(reason)
        log(.error, "Application is not begun: \(reason); it is tried again")
    }
}

internal import Glibc

/// Runs one thing at a time, and has a clock. Actors that work for hours are pinned to one.
///
/// ``EventLoop`` is the real one. A simulation has another, and decides its time and order itself.
package protocol SerialLoop: SerialExecutor, TaskExecutor {
    var now: MonotonicTime { get }
    /// The time of day.
    var secondsSince1970: Int64 { get }

    /// Calls `body` once at `time`, unless the timer is cancelled before. Call it on the loop's
    /// thread.
    @discardableResult
    func schedule(at time: MonotonicTime, _ body: @escaping () -> Void) -> LoopTimer

    /// Suspends the calling task for `duration`; returns early when the task is cancelled.
    func sleep(for duration: Duration) async

    /// Runs `body`, which may block, elsewhere.
    func offload<Success: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Success
    ) async throws(Failure) -> Success
}

extension SerialLoop {
    /// Calls `body` once, `delay` from now, unless the timer is cancelled before.
    @discardableResult
    package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
        schedule(at: now + delay, body)
    }
}

extension EventLoop: SerialLoop {
    package var now: MonotonicTime { .now }
    package var secondsSince1970: Int64 { Int64(time(nil)) }

    package func offload<Success: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Success
    ) async throws(Failure) -> Success {
        try await Transport.offload(body)
    }
}

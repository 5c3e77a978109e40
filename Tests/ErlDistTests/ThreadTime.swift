import Glibc
import Transport

/// How long the calling thread has worked since: not how long it had to wait for a processor.
struct ThreadTime {
    private let start = Self.now

    var used: Duration { Self.now - start }

    static var now: Duration {
        var value = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &value)
        return .seconds(value.tv_sec) + .nanoseconds(value.tv_nsec)
    }
}

/// The most that an event loop's thread has worked between two beats of a timer that is due all the
/// time: how long whoever else is on the loop has to wait, but for the processor.
final class LoopStopwatch: Sendable {
    private struct State {
        var last: Duration?
        var longest = Duration.zero
        var isStopped = false
    }

    private let loop: EventLoop
    private let state = Guarded(State())

    init(_ loop: EventLoop) {
        self.loop = loop
        loop.execute { self.beat() }
    }

    private func beat() {
        let now = ThreadTime.now
        let isStopped = state.withLock { state in
            if let last = state.last { state.longest = max(state.longest, now - last) }
            state.last = now
            return state.isStopped
        }
        guard !isStopped else { return }
        loop.schedule(after: .milliseconds(1)) { self.beat() }
    }

    func stop() { state.withLock { $0.isStopped = true } }

    /// The longest time since this was asked for last.
    func takeLongest() -> Duration {
        state.withLock { state in
            defer { state.longest = .zero }
            return state.longest
        }
    }
}

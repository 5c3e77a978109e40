internal import Glibc
internal import TestKit
internal import Transport

/// What the deployer of a simulated deployex is pinned to: of the jobs that are ready the seed picks the
/// next, and time is the world's.
///
/// All of it happens on the thread that runs the world; a job from elsewhere would make a run that
/// cannot be repeated, and is a trap.
final class SimulatedLoop: SerialLoop, @unchecked Sendable {
    private unowned let world: SimulatedWorld
    private let thread = pthread_self()
    private var jobs: [UnownedJob] = []
    /// What tasks wait for, by number: all of it comes at once when the process ends.
    private var waits: [Int: () -> Void] = [:]
    private var nextWait = 0
    /// The process has ended: nothing is waited for, and nothing that is begun has an effect any more.
    private(set) var hasEnded = false

    init(_ world: SimulatedWorld) {
        self.world = world
    }

    // MARK: Executor

    func enqueue(_ job: consuming ExecutorJob) {
        precondition(pthread_equal(thread, pthread_self()) != 0, "A job comes from another thread")
        jobs.append(UnownedJob(job))
    }

    func checkIsolated() {}
    func isIsolatingCurrentContext() -> Bool? { true }

    /// Runs one of the jobs that are ready. Whether there was one.
    func runJob() -> Bool {
        guard !jobs.isEmpty else { return false }
        let index = jobs.count == 1 ? 0 : world.random.int(0...jobs.count - 1)
        jobs.remove(at: index).runSynchronously(
            isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        return true
    }

    /// The process has ended. Its tasks are run to their ends, without any effect, so that none is left.
    func end() {
        hasEnded = true
        repeat {
            let due = waits.sorted { $0.key < $1.key }
            waits = [:]
            for (_, wait) in due { wait() }
        } while runJob() || !waits.isEmpty
    }

    /// Whether nothing is ready, and nothing is waited for but timers.
    var isIdle: Bool { jobs.isEmpty && waits.isEmpty }

    // MARK: Time

    var now: MonotonicTime { world.now }
    var secondsSince1970: Int64 { world.secondsSince1970 }

    func schedule(at time: MonotonicTime, _ body: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(body)
        guard !hasEnded, !world.isLost(.losesTimers) else { return timer }
        // Timers come late, never early.
        world.after(max(time - now, .zero) + .milliseconds(1)) { [weak self] in
            if self?.hasEnded == false { timer.fire() }
        }
        return timer
    }

    func sleep(for duration: Duration) async {
        let sleep = Sleep()
        await withTaskCancellationHandler {
            await wait(for: duration...duration, sleep)
        } onCancel: {
            sleep.end()
        }
    }

    /// Suspends the calling task for a while within `range`, or until the process ends.
    func pause(_ range: ClosedRange<Duration>) async {
        await wait(for: range, Sleep())
    }

    private func wait(for range: ClosedRange<Duration>, _ sleep: Sleep) async {
        guard !hasEnded, !sleep.hasEnded else { return }
        await withUnsafeContinuation { continuation in
            sleep.continuation = continuation
            after(range) { sleep.end() }
        }
    }

    /// Calls `body` once, after a while or when the process ends.
    private func after(_ range: ClosedRange<Duration>, _ body: @escaping () -> Void) {
        nextWait += 1
        let number = nextWait
        waits[number] = body
        world.after(range) { [weak self] in self?.waits.removeValue(forKey: number)?() }
    }

    func offload<Success: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Success
    ) async throws(Failure) -> Success {
        if hasEnded { return try body() }
        if world.isLost(.dropsAwaits), let nothing = () as? Success {
            after(.zero ... .seconds(2)) { _ = Result(catching: body) }
            return nothing
        }
        let work = Work(body)
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            after(.zero ... .milliseconds(20)) {
                work.run()
                continuation.resume()
            }
        }
        guard let result = work.result else { preconditionFailure("The work has been done") }
        return try result.get()
    }

    private final class Sleep: @unchecked Sendable {
        var continuation: UnsafeContinuation<Void, Never>?
        private(set) var hasEnded = false

        func end() {
            hasEnded = true
            continuation?.resume()
            continuation = nil
        }
    }

    private final class Work<Success, Failure: Error> {
        private let body: () throws(Failure) -> Success
        private(set) var result: Result<Success, Failure>?

        init(_ body: @escaping () throws(Failure) -> Success) {
            self.body = body
        }

        func run() { result = Result(catching: body) }
    }
}

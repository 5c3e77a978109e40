internal import ExternalTermFormat
internal import Transport

/// One attempt to connect to a node, shared by all who wait for it. It belongs to its node's
/// isolation.
final class Attempt {
    private struct Waiter {
        var continuation: CheckedContinuation<CallError?, Never>
        var timer: LoopTimer
    }

    /// Dials, and then ends the attempt.
    var task: Task<Void, Never>?
    private var waiters: [UInt64: Waiter] = [:]
    /// The connection whose handshake is under way.
    private var connection: Connection?
    /// Who waits for the end of that handshake.
    private var handshake: CheckedContinuation<CallError?, Never>?

    // MARK: Who waits

    /// Resumes `continuation` with `nil` when the node is connected, and at `deadline` in any case.
    func wait(
        _ number: UInt64, until deadline: MonotonicTime, on loop: EventLoop,
        _ continuation: CheckedContinuation<CallError?, Never>
    ) {
        let timer = loop.schedule(at: deadline) { self.endWait(number, .timedOut) }
        waiters[number] = Waiter(continuation: continuation, timer: timer)
    }

    /// Ends one task's wait; the attempt goes on for the others.
    func endWait(_ number: UInt64, _ error: CallError?) {
        guard let waiter = waiters.removeValue(forKey: number) else { return }
        waiter.timer.cancel()
        waiter.continuation.resume(returning: error)
    }

    /// Tells all who wait how it went.
    func finish(_ error: CallError?) {
        connection?.close()
        connection = nil
        for number in Array(waiters.keys) { endWait(number, error) }
    }

    // MARK: The handshake

    func shakeHands(
        on connection: Connection, _ continuation: CheckedContinuation<CallError?, Never>
    ) {
        self.connection = connection
        handshake = continuation
    }

    /// Forgets the connection, which has ended or belongs to somebody else now.
    func letGoOfConnection() {
        connection = nil
    }

    func endHandshake(_ error: CallError?) {
        handshake?.resume(returning: error)
        handshake = nil
    }

    /// Closes what has been made so far: nobody needs it any more, or the node is closed.
    func giveUp(_ error: CallError?) {
        connection?.close()
        // The task may still be checking whose listener it is, and must not connect after that.
        task?.cancel()
        endHandshake(error)
    }
}

import Dispatch

/// A thread of its own for an actor whose methods block: waiting for processes and sockets there
/// holds up nobody else.
final class BlockingExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "deployex.world")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

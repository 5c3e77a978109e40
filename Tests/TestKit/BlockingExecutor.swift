internal import Dispatch

/// A thread of its own for an actor whose methods block: waiting for processes and sockets there
/// holds up nobody else.
package final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    package init(_ name: String) {
        queue = DispatchQueue(label: name)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

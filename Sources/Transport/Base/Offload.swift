internal import Dispatch

/// Runs `body`, which may block (name resolution, fsync, hashing, unpacking), on a thread of a
/// pool, and returns its result or throws its error. Nothing that blocks may run on an
/// ``EventLoop``.
public func offload<Success: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Success
) async throws(Failure) -> Success {
    let handOver = HandOver<Result<Success, Failure>>()
    await withCheckedContinuation { continuation in
        blockingWork.async {
            handOver.put(Result(catching: body))
            continuation.resume()
        }
    }
    return try handOver.take().get()
}

private let blockingWork = DispatchQueue(label: "deployex.blocking", attributes: .concurrent)

/// Hands one result from the thread that computed it to the thread that waits.
///
/// A continuation could do this too. But when it is resumed before its task has suspended, only the
/// runtime's library orders the two threads, and the thread sanitizer cannot see that. So it would
/// report a race on what the result refers to. See ``Guarded``.
private final class HandOver<Value: Sendable>: Sendable {
    private let result = Guarded<Value?>(nil)

    func put(_ value: Value) {
        result.withLock { $0 = value }
    }

    func take() -> Value {
        guard let value = result.withLock({ $0.take() }) else {
            preconditionFailure("A result is taken once, after it was put")
        }
        return value
    }
}

internal import Dispatch

/// Runs `body`, which may block (name resolution, fsync, hashing, unpacking), on a thread of its own
/// pool and comes back with its result or its error. Nothing that blocks may run on an ``EventLoop``.
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

/// Takes one result from the thread that computed it to the one that waits.
///
/// A continuation would take it too. But where it is resumed before its task has suspended, the
/// order of the two threads is made inside the runtime's library, which the thread sanitizer cannot
/// look into: what the result refers to would be taken for a race. See ``Guarded``.
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

internal import Dispatch

/// Runs `body`, which may block (name resolution, fsync, hashing, unpacking), on a thread of its
/// own pool and comes back with its result. Nothing that blocks may run on an ``EventLoop``.
public func offload<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    let handOver = HandOver<Result>()
    await withCheckedContinuation { continuation in
        blockingWork.async {
            handOver.put(body())
            continuation.resume()
        }
    }
    return handOver.take()
}

/// Runs `body`, which may block and throw, as ``offload(_:)-(()->Result)`` does.
public func offload<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await offload { Swift.Result { try body() } }.get()
}

private let blockingWork = DispatchQueue(label: "deployex.blocking", attributes: .concurrent)

/// Takes one result from the thread that computed it to the one that waits.
///
/// A continuation would take it too. But where it is resumed before its task has suspended, the
/// order of the two threads is made inside the runtime's library, which the thread sanitizer cannot
/// look into: what the result refers to would be taken for a race. See ``Guarded``.
private final class HandOver<Result: Sendable>: Sendable {
    private let result = Guarded<Result?>(nil)

    func put(_ value: Result) {
        result.withLock { $0 = value }
    }

    func take() -> Result {
        guard let value = result.withLock({ $0.take() }) else {
            preconditionFailure("A result is taken once, after it was put")
        }
        return value
    }
}

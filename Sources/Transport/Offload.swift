internal import Dispatch

/// Runs `body`, which may block (name resolution, fsync, hashing, unpacking), on a thread of its own
/// pool and comes back with its result. Nothing that blocks may run on an ``EventLoop``.
public func offload<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        blockingWork.async { continuation.resume(returning: body()) }
    }
}

/// Runs `body`, which may block and throw, as ``offload(_:)-(()->Result)`` does.
public func offload<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        blockingWork.async { continuation.resume(with: Swift.Result { try body() }) }
    }
}

private let blockingWork = DispatchQueue(label: "deployex.blocking", attributes: .concurrent)

internal import Transport

/// A connection that is being made to one node, for all who wait for it.
final class Attempt {
    struct Waiter {
        var continuation: CheckedContinuation<CallError?, Never>
        var timer: LoopTimer?
    }

    var waiters: [UInt64: Waiter] = [:]
    var task: Task<Void, Never>?
    var connection: Connection?
    /// Completes `task`'s current handshake.
    var handshakeEnded: CheckedContinuation<CallError?, Never>?
}

internal import Dispatch

/// Looks at files off the event loop, one look at a time. Callers that come during a look share the
/// next one, which sees everything that was there before they came.
final class SharedLook: Sendable {
    private struct State {
        var isLooking = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let look: @Sendable () -> Void
    private let queue = DispatchQueue(label: "deployex.look")
    private let state = Guarded(State())

    /// When this many callers wait the disk does not answer. Further callers do not wait.
    private static let maximumWaitingCount = 1024

    init(_ look: @escaping @Sendable () -> Void) {
        self.look = look
    }

    /// Returns when the files have been looked at.
    func callAsFunction() async {
        await withCheckedContinuation { continuation in
            let (waits, begins) = state.withLock { state in
                guard state.waiting.count < Self.maximumWaitingCount else { return (false, false) }
                state.waiting.append(continuation)
                defer { state.isLooking = true }
                return (true, !state.isLooking)
            }
            if begins { queue.async { self.run() } }
            if !waits { continuation.resume() }
        }
    }

    private func run() {
        while true {
            let turn = state.withLock { state in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isLooking = false }
                return state.waiting
            }
            guard !turn.isEmpty else { return }
            look()
            for continuation in turn { continuation.resume() }
        }
    }
}

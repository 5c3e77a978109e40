internal import Transport

/// Verifies passwords, one after the other: each takes time and memory on purpose.
actor PasswordWork {
    private nonisolated let loop: EventLoop
    private var isBusy = false
    private var waitingCount = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// So many wait at most.
    private static let limit = 8

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Does `body` when it is its turn.
    /// - Returns: `nil` if too many wait already.
    func inTurn<Result: Sendable>(
        _ body: @Sendable () async -> Result
    ) async -> Result? {
        if isBusy {
            guard waitingCount < Self.limit else { return nil }
            waitingCount += 1
            defer { waitingCount -= 1 }
            // Whoever is busy may have finished between the question and the wait.
            while isBusy {
                await withCheckedContinuation {
                    if isBusy { waiting.append($0) } else { $0.resume() }
                }
            }
        }
        isBusy = true
        let result = await body()
        isBusy = false
        if !waiting.isEmpty { waiting.removeFirst().resume() }
        return result
    }

    /// Which of the hashes the password has. It takes as long whatever it finds, and does not hold
    /// up the loop.
    nonisolated static func matches(_ password: String, _ hashes: [PasswordHash]) async -> [Bool] {
        guard password.utf8.count <= PasswordHash.byteCounts.upperBound else {
            return hashes.map { _ in false }
        }
        return await offload { hashes.map { $0.isOf(password) } }
    }
}

internal import Transport

/// Waits until `condition` holds. The time ends a test that would wait for ever: it is long enough for
/// a machine that does much else meanwhile.
///
/// - Throws: ``TestFailure`` when it does not hold in time; what `condition` throws, at once.
package nonisolated(nonsending) func eventually(
    _ what: String = "what the test waits for", within timeout: Duration = .seconds(120),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = MonotonicTime.now + timeout
    while try await !condition() {
        guard MonotonicTime.now < deadline else {
            throw TestFailure("\(what) has not come in \(timeout)")
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// Repeats `attempt` until it succeeds, and returns what it returns.
///
/// - Throws: its last error, when it does not succeed in time.
package nonisolated(nonsending) func eventuallySucceeds<Result>(
    within timeout: Duration = .seconds(120), _ attempt: () async throws -> Result
) async throws -> Result {
    let deadline = MonotonicTime.now + timeout
    while true {
        do { return try await attempt() } catch {
            guard MonotonicTime.now < deadline else { throw error }
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Runs `body`, and then `end`, also when `body` has thrown.
package nonisolated(nonsending) func attempt<Result>(
    _ body: () async throws -> Result, thenAlways end: () async -> Void
) async throws -> Result {
    do {
        let result = try await body()
        await end()
        return result
    } catch {
        await end()
        throw error
    }
}

internal import EPMD
internal import Transport

/// Ends an EPMD in which no node is registered.
enum EPMDEnd: Equatable {
    case ended
    /// These nodes are registered; it goes on.
    case needed(by: [String])

    /// - Parameter patience: how long to wait for nodes that have just ended to leave it.
    nonisolated(nonsending) static func end(
        _ client: EPMDClient, within patience: Duration, on loop: EventLoop
    ) async throws(EPMDError) -> EPMDEnd {
        let deadline = MonotonicTime.now + patience
        while true {
            let names = try await client.names().map(\.name)
            // It refuses when a node has come in between.
            if names.isEmpty, try await client.kill() {
                try await untilGone(client, on: loop)
                return .ended
            }
            guard MonotonicTime.now < deadline else { return .needed(by: names) }
            await loop.sleep(for: .milliseconds(20))
        }
    }

    /// Its last answer comes before its end: returns when nothing answers any more.
    private nonisolated(nonsending) static func untilGone(
        _ client: EPMDClient, on loop: EventLoop
    ) async throws(EPMDError) {
        let deadline = MonotonicTime.now + .seconds(5)
        while true {
            do throws(EPMDError) {
                _ = try await client.names()
            } catch {
                if case .unreachable = error { return }
                throw error
            }
            guard MonotonicTime.now < deadline else {
                throw .timedOut(attempt: "ending EPMD at \(client.address)", after: .seconds(5))
            }
            await loop.sleep(for: .milliseconds(20))
        }
    }
}

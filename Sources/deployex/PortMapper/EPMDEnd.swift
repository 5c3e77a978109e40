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
        let outcome = try await Self.end(
            within: patience, on: loop,
            names: { () async throws(EPMDError) -> [String] in
                try await client.names().map(\.name)
            },
            kill: { () async throws(EPMDError) -> Bool in try await client.kill() })
        if outcome == .ended { try await untilGone(client, on: loop) }
        return outcome
    }

    /// As above, with what is asked of the EPMD.
    nonisolated(nonsending) static func end(
        within patience: Duration, on loop: EventLoop,
        names: @Sendable () async throws(EPMDError) -> [String],
        kill: @Sendable () async throws(EPMDError) -> Bool
    ) async throws(EPMDError) -> EPMDEnd {
        let deadline = MonotonicTime.now + patience
        // One that refuses although it says that it is empty is not asked for ever.
        let end = MonotonicTime.now + max(patience, .seconds(1))
        while true {
            var present = try await names()
            if present.isEmpty {
                if try await kill() { return .ended }
                // It refuses when a node has come in between.
                present = try await names()
            }
            guard MonotonicTime.now < (present.isEmpty ? end : deadline) else {
                return .needed(by: present)
            }
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

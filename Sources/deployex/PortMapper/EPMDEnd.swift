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
            if names.isEmpty, try await client.kill() { return .ended }
            guard MonotonicTime.now < deadline else { return .needed(by: names) }
            await loop.sleep(for: .milliseconds(20))
        }
    }
}

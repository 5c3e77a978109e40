internal import ExternalTermFormat
internal import Transport

/// The attempts to connect, one for each node. They belong to their node's isolation.
final class Attempts {
    private var attempts: [Atom: Attempt] = [:]

    subscript(node: Atom) -> Attempt? { attempts[node] }

    var tasks: [Task<Void, Never>] { attempts.values.compactMap(\.task) }

    func begin(_ node: Atom) -> Attempt {
        let attempt = Attempt()
        attempts[node] = attempt
        return attempt
    }

    /// Tells all who wait for the node how it went.
    /// - Parameter error: `nil` when it is connected.
    func finish(_ node: Atom, _ attempt: Attempt, _ error: CallError?) {
        if attempts[node] === attempt { attempts[node] = nil }
        attempt.finish(error)
    }

    /// The node has connected to us. That connection serves those who wait for our attempt as well.
    func isConnected(_ node: Atom) {
        guard let attempt = attempts[node] else { return }
        attempt.giveUp(nil)
        finish(node, attempt, nil)
    }

    /// The node is closed: gives all attempts up. Each attempt's own task ends it.
    func giveUpAll() {
        for attempt in attempts.values { attempt.giveUp(.connectionLost(.disconnected)) }
    }
}

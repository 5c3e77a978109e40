internal import Dispatch

/// The names of users, for texts that strangers cause: the name if it is found in time, else the
/// number.
///
/// Some hosts ask a server, which may not answer. Strangers who can make us ask for names must not
/// occupy a thread each time. So at most one look-up is under way, nobody waits for it longer than
/// ``limit`` from its beginning, and a few hundred answers are remembered.
package final class UserNames: Sendable {
    private struct State {
        var known: [UInt32: String] = [:]
        var lookUp: LookUp?
    }

    private struct LookUp {
        var end: DispatchGroup
        var deadline: DispatchTime
    }

    /// The names of this host's users.
    package static let ofHost = UserNames { UserDatabase.text($0) }

    private static let maximumCount = 256

    private let limit: DispatchTimeInterval
    private let look: @Sendable (UInt32) -> String
    private let queue = DispatchQueue(label: "deployex.names")
    private let state = Guarded(State())

    /// - Parameters:
    ///   - limit: how long callers wait for a look-up.
    ///   - look: looks a name up; it may take for ever.
    init(
        limit: DispatchTimeInterval = .seconds(1), look: @escaping @Sendable (UInt32) -> String
    ) {
        self.limit = limit
        self.look = look
    }

    /// "alice (uid 1000)", or "uid 1000" if there is no name, or none in time. It blocks, at most
    /// for ``limit``.
    package func text(_ id: UInt32) -> String {
        let deadline = DispatchTime.now() + limit
        while true {
            let (known, running) = state.withLock { state -> (String?, LookUp) in
                let running = state.lookUp ?? LookUp(end: DispatchGroup(), deadline: deadline)
                if let known = state.known[id] { return (known, running) }
                if state.lookUp == nil {
                    state.lookUp = running
                    running.end.enter()
                    queue.async { self.run(id, running.end) }
                }
                return (nil, running)
            }
            if let known { return known }
            let end = min(deadline, running.deadline)
            guard running.end.wait(timeout: end) == .success else { return "uid \(id)" }
        }
    }

    private func run(_ id: UInt32, _ end: DispatchGroup) {
        let text = look(id)
        state.withLock { state in
            if state.known.count >= Self.maximumCount { state.known = [:] }
            state.known[id] = text
            state.lookUp = nil
        }
        end.leave()
    }
}

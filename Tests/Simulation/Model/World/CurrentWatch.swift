internal import Supervisor
internal import Transport

/// Watches that no disk operation of deployex takes the whole release out of an instance's `current`.
final class CurrentWatch: Sendable {
    private struct State {
        /// What stood there after the last operation; `nil` after something else has changed it.
        var standing: [InstanceNumber: StandingRelease] = [:]
        var deployed: Set<InstanceNumber> = []
        /// Where nothing stands because somebody has removed it.
        var removed: Set<InstanceNumber> = []
        var violation: String?
    }

    private let state = Guarded(State())

    var violation: String? { state.withLock { $0.violation } }

    /// The first deployment of an instance is complete. What it has put there may have been removed
    /// before this was told.
    func deployed(_ number: InstanceNumber) {
        state.withLock { state in
            guard !state.removed.contains(number) else { return }
            state.deployed.insert(number)
        }
    }

    /// Whether a whole release stands in an instance's `current` from now on.
    func wasDeployed(_ number: InstanceNumber) -> Bool {
        state.withLock { $0.deployed.contains(number) }
    }

    /// A node, or a power cut, has changed what stands there.
    func forget(_ number: InstanceNumber) { state.withLock { $0.standing[number] = nil } }

    /// Somebody has removed what stood there.
    func removed(_ number: InstanceNumber) {
        state.withLock { state in
            state.standing[number] = nil
            state.deployed.remove(number)
            state.removed.insert(number)
        }
    }

    func look(_ number: InstanceNumber, _ standing: StandingRelease, _ operation: DiskOperation) {
        state.withLock { state in
            if standing.version == nil, state.standing[number]?.version != nil {
                state.violation =
                    "instance \(number): \(standing) in current, after: \(operation)"
            }
            state.standing[number] = standing
            if standing.version != nil { state.removed.remove(number) }
        }
    }
}

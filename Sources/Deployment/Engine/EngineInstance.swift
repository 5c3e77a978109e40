internal import Supervisor
internal import Transport

/// What the engine knows of one instance.
struct EngineInstance {
    let number: Int
    var machine: InstanceMachine
    var current: DeployedRelease?
    var previous: DeployedRelease?
    /// Counts starts, so that an answer about an earlier process is not taken for one about this.
    var run = 0
    var isReady = false
    var isConnected = false
    private var isProbing = false
    private var nextProbe: MonotonicTime?
    /// The process that runs or is ending.
    var identity: ProcessIdentity? { machine.identity }
    /// Probes in a row that did not find the instance ready.
    var failedProbes = 0
    /// What the log has been told about why the instance is not ready.
    private var noticedReason: String?

    init(
        number: Int, machine: InstanceMachine, current: DeployedRelease?, previous: DeployedRelease?
    ) {
        self.number = number
        self.machine = machine
        self.current = current
        self.previous = previous
    }

    /// A new process is being made: what was known of the last one is void.
    mutating func beginRun() {
        run += 1
        endRun()
    }

    /// The process is gone.
    mutating func endRun() {
        isReady = false
        isConnected = false
        isProbing = false
        nextProbe = nil
        noticedReason = nil
        failedProbes = 0
    }

    /// Whether it is of interest how the node is: not while its process ends.
    var isProbed: Bool {
        switch machine.status {
        case .starting, .running: identity != nil
        case .idle, .stopping, .backoff, .failed: false
        }
    }

    /// Asks for a probe now; it is due until ``beginProbeIfDue(now:)``.
    mutating func probeSoon(now: MonotonicTime) {
        nextProbe = now
    }

    /// Whether a probe is due; if so it counts as begun.
    mutating func beginProbeIfDue(now: MonotonicTime) -> Bool {
        guard isProbed, !isProbing, let due = nextProbe, due <= now else { return false }
        isProbing = true
        nextProbe = nil
        return true
    }

    mutating func endProbe(next: MonotonicTime) {
        isProbing = false
        nextProbe = min(nextProbe ?? next, next)
    }

    /// Whether `reason` should be told: it is another one than last time.
    mutating func notice(_ reason: String) -> Bool {
        defer { noticedReason = reason }
        return noticedReason != reason
    }

    var nextDeadline: MonotonicTime? {
        let probe = isProbed && !isProbing ? nextProbe : nil
        return [probe, machine.nextDeadline].compactMap { $0 }.min()
    }

    var snapshot: InstanceSnapshot {
        InstanceSnapshot(
            number: number, status: machine.status, current: current, previous: previous,
            isConnected: isConnected, identity: identity, startedAt: machine.startedAt,
            crashRestarts: machine.restarts.crash, forcedRestarts: machine.restarts.forced)
    }
}

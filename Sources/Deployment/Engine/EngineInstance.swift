internal import Supervisor
internal import Transport

/// What the engine knows of one instance.
struct EngineInstance {
    let number: Int
    var machine: InstanceMachine
    var current: DeployedRelease?
    var previous: DeployedRelease?
    /// An operator wants it to stay stopped.
    var isStoppedByOperator = false
    /// Counts starts, and what is as good as one, so that an answer about what ran before is not taken
    /// for one about what runs now.
    var run = 0
    var isReady = false
    var isConnected = false
    /// Whether this process has been ready, or was taken over from an earlier deployex.
    var wasReady = false
    /// It was taken over, or upgraded in place, and nothing has been heard of it yet: it may serve.
    var isUnknown = false
    /// An upgrade in place has failed in its node: what that runs is known only after a boot.
    var isDoubtful = false
    /// Which life of the node was seen last.
    var creation: UInt32?
    /// A new release on trial: how often it has crashed, and until when that counts.
    var trial: Trial?
    private var isProbing = false
    private var nextProbe: MonotonicTime?
    /// The process that runs or is ending.
    var identity: ProcessIdentity? { machine.identity }
    /// Probes in a row that did not find the instance ready.
    var failedProbes = 0
    /// Probes in a row that the node, though there, did not answer in time.
    var unansweredProbes = 0
    /// What the log has been told about why the instance is not ready.
    private var noticedReason: String?
    /// What is on disk.
    private var noted: InstanceNote

    struct Trial: Equatable {
        var until: MonotonicTime
        var crashCount = 0
    }

    init(number: Int, machine: InstanceMachine, found: DeploymentEngine.Found) {
        self.number = number
        self.machine = machine
        current = found.current
        previous = found.previous
        isStoppedByOperator = found.note.isStoppedByOperator
        creation = found.note.creation
        noted = found.note
    }

    /// A new process is being made: what was known of the last one is void.
    mutating func beginRun() {
        run += 1
        endRun()
    }

    /// A process of an earlier deployex goes on as ours.
    mutating func adopted(now: MonotonicTime) {
        run += 1
        wasReady = true
        isUnknown = true
        nextProbe = now
    }

    /// The process is gone.
    mutating func endRun() {
        isReady = false
        isConnected = false
        wasReady = false
        isUnknown = false
        isDoubtful = false
        creation = nil
        isProbing = false
        nextProbe = nil
        noticedReason = nil
        failedProbes = 0
        unansweredProbes = 0
    }

    /// The node has begun another life in the same process.
    mutating func reboot(now: MonotonicTime) {
        wasReady = false
        forgetReadiness(now: now)
    }

    /// What its node runs has changed: an answer that is under way speaks of what was before.
    mutating func forgetReadiness(now: MonotonicTime) {
        run += 1
        isReady = false
        isProbing = false
        nextProbe = now
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

    /// Asks for a probe at `time`, or as soon as one is asked for already.
    mutating func probe(at time: MonotonicTime) {
        nextProbe = min(nextProbe ?? time, time)
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
        isUnknown = false
        probe(at: next)
    }

    /// Whether `reason` should be told: it is another one than last time.
    mutating func notice(_ reason: String) -> Bool {
        defer { noticedReason = reason }
        return noticedReason != reason
    }

    mutating func forgetNotice() {
        noticedReason = nil
    }

    /// What has to be written down, if it is not on disk yet.
    mutating func takeNote() -> InstanceNote? {
        let note = InstanceNote(
            restarts: machine.restarts, isStoppedByOperator: isStoppedByOperator, creation: creation
        )
        guard note != noted else { return nil }
        noted = note
        return note
    }

    var nextDeadline: MonotonicTime? {
        let probe = isProbed && !isProbing ? nextProbe : nil
        return [probe, machine.nextDeadline].compactMap { $0 }.min()
    }

    var snapshot: InstanceSnapshot {
        InstanceSnapshot(
            number: number, status: machine.status, current: current, previous: previous,
            isConnected: isConnected, isStoppedByOperator: isStoppedByOperator,
            isResponding: unansweredProbes == 0,
            identity: identity, startedAt: machine.startedAt,
            crashRestarts: machine.restarts.crash, forcedRestarts: machine.restarts.forced)
    }
}

internal import Supervisor
internal import Transport

/// A process of the simulated host.
struct SimulatedProcess {
    enum Role: Equatable {
        case instance(InstanceNumber)
        /// It runs beside the instances and ends by itself.
        case command
        /// An instance has started it; it has left the session and lost its parent.
        case daemon(of: InstanceNumber)
        /// It belongs to somebody else, and must never be signalled.
        case stranger
    }

    enum Termination: Equatable {
        /// Ends so long after SIGTERM.
        case after(Duration)
        case never
    }

    var identity: ProcessIdentity
    var role: Role
    var startedAt: MonotonicTime
    var termination: Termination
    var node: SimulatedNode?
    /// The leader of the session that a daemon has left.
    var leader: ProcessIdentity?
    /// Whether SIGTERM has been received.
    var isEnding = false
}

/// The BEAM inside an instance's process.
struct SimulatedNode {
    /// Another one for each life of the node, also in the same process.
    var creation: UInt32
    /// What runs: code that was booted, or installed since.
    var running: SimulatedRelease
    /// What the release_handler thinks is permanent.
    var permanent: SimulatedRelease
    /// Releases unpacked besides, by version.
    var unpacked: [String: SimulatedRelease] = [:]
    /// What it says it was upgraded to, and was not.
    var claimed: String?
    /// When the distribution is up in this life.
    var upAt: MonotonicTime
    /// When the application is started; `nil` for never.
    var readyAt: MonotonicTime?
    /// Calls are not answered before.
    var answersFrom: MonotonicTime
    /// Not reachable before, though it runs.
    var reachableFrom: MonotonicTime

    func isUp(at now: MonotonicTime) -> Bool { upAt <= now && reachableFrom <= now }
    func answers(at now: MonotonicTime) -> Bool { answersFrom <= now }
    func isReady(at now: MonotonicTime) -> Bool { readyAt.map { $0 <= now } ?? false }

    static let never = MonotonicTime(nanoseconds: .max)
}

/// The processes of a host, whose pids are few and soon used again.
struct SimulatedHost {
    private(set) var bootID = "boot-1"
    private var bootCount = 1
    private var bootedAt = MonotonicTime(nanoseconds: 0)
    private var processes: [Int32: SimulatedProcess] = [:]
    private var nextPID: Int32 = 100
    private var nextCreation: UInt32 = 1

    private static let pids: ClosedRange<Int32> = 100...131

    var all: [SimulatedProcess] { processes.keys.sorted().compactMap { processes[$0] } }

    /// The running process with exactly that identity.
    subscript(identity: ProcessIdentity) -> SimulatedProcess? {
        get {
            guard let process = processes[identity.pid], process.identity == identity else {
                return nil
            }
            return process
        }
        set {
            guard processes[identity.pid]?.identity == identity else { return }
            processes[identity.pid] = newValue
        }
    }

    func process(pid: Int32) -> SimulatedProcess? { processes[pid] }

    func processes(of number: InstanceNumber) -> [SimulatedProcess] {
        all.filter { $0.role == .instance(number) }
    }

    /// The daemons of an instance.
    func daemons(of number: InstanceNumber) -> [SimulatedProcess] {
        all.filter { $0.role == .daemon(of: number) }
    }

    mutating func start(
        _ role: SimulatedProcess.Role, _ termination: SimulatedProcess.Termination,
        now: MonotonicTime
    ) -> ProcessIdentity {
        while processes[nextPID] != nil { advancePID() }
        let identity = ProcessIdentity(
            pid: nextPID,
            startTicks: UInt64((now - bootedAt).milliseconds / 10), bootID: bootID)
        processes[nextPID] = SimulatedProcess(
            identity: identity, role: role, startedAt: now, termination: termination)
        advancePID()
        return identity
    }

    private mutating func advancePID() {
        nextPID = nextPID == Self.pids.upperBound ? Self.pids.lowerBound : nextPID + 1
    }

    mutating func end(_ identity: ProcessIdentity) {
        guard self[identity] != nil else { return }
        processes[identity.pid] = nil
    }

    mutating func newCreation() -> UInt32 {
        defer { nextCreation += 1 }
        return nextCreation
    }

    /// The host goes down and comes up again: no process is left.
    mutating func reboot(now: MonotonicTime) {
        processes = [:]
        bootCount += 1
        bootID = "boot-\(bootCount)"
        bootedAt = now
        nextPID = Self.pids.lowerBound
    }
}

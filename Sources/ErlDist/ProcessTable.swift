internal import ExternalTermFormat

/// The processes that this node pretends to have: who lives, and who is to hear of their end.
///
/// Pids are numbered upwards and not used twice within 2³² processes. It does no I/O: what must be sent is
/// returned, with the node that it is for.
struct ProcessTable {
    /// What is sent to which node.
    struct Signal: Equatable {
        var node: Atom
        var message: ControlMessage
    }

    private struct Monitor: Equatable {
        var watcher: PID
        /// How the watcher named the process, which is how the answer names it.
        var target: ProcessIdentifier
    }

    private struct Process {
        var monitors: [Reference: Monitor] = [:]
        var links: Set<PID> = []
    }

    /// Monitors and links that others may have on our processes, all together.
    static let maximumWatchers = 100_000

    /// Group leaders have this serial number, whatever their id. They never end: a function that goes on
    /// after its call has ended must not crash because it prints.
    static let leaderSerial: UInt32 = 1

    private var processes: [UInt32: Process] = [:]
    private var names: Set<Atom> = []
    private var nextID: UInt32 = 1
    private var watcherCount = 0

    /// Registers a name that counts as alive from now on.
    mutating func register(_ name: Atom) { names.insert(name) }

    /// The number of a new process that lives.
    mutating func start() -> UInt32 {
        let id = newID()
        processes[id] = Process()
        return id
    }

    /// A number that no living process has.
    mutating func newID() -> UInt32 {
        repeat {
            nextID = nextID == .max ? 1 : nextID + 1
        } while processes[nextID] != nil
        return nextID
    }

    func isAlive(_ target: ProcessIdentifier) -> Bool {
        switch target {
        case .name(let name): names.contains(name)
        case .pid(let pid): pid.serial == Self.leaderSerial || processes[pid.id] != nil
        }
    }

    /// MONITOR_P: the dead are reported at once.
    mutating func monitor(
        from watcher: PID, to target: ProcessIdentifier, reference: Reference
    ) -> ControlMessage? {
        guard isAlive(target), watcherCount < Self.maximumWatchers else {
            return .down(
                from: target, to: watcher, reference: reference, reason: .atom(Atom("noproc")))
        }
        // Names and group leaders do not end before the connection does, of which the watcher's
        // own node tells it.
        if case .pid(let pid) = target, processes[pid.id] != nil {
            let old = processes[pid.id]?.monitors.updateValue(
                Monitor(watcher: watcher, target: target), forKey: reference)
            if old == nil { watcherCount += 1 }
        }
        return nil
    }

    mutating func demonitor(_ target: ProcessIdentifier, reference: Reference) {
        guard case .pid(let pid) = target else { return }
        if processes[pid.id]?.monitors.removeValue(forKey: reference) != nil { watcherCount -= 1 }
    }

    /// LINK: with the dead a link ends at once.
    mutating func link(from linker: PID, to pid: PID) -> ControlMessage? {
        guard isAlive(.pid(pid)), watcherCount < Self.maximumWatchers else {
            return .exit(from: pid, to: linker, reason: .atom(Atom("noproc")), token: nil)
        }
        if processes[pid.id]?.links.insert(linker).inserted == true { watcherCount += 1 }
        return nil
    }

    mutating func unlink(from linker: PID, to pid: PID) {
        if processes[pid.id]?.links.remove(linker) != nil { watcherCount -= 1 }
    }

    /// The process has ended: what its watchers are told.
    mutating func end(_ pid: PID, reason: Term) -> [Signal] {
        guard let process = processes.removeValue(forKey: pid.id) else { return [] }
        watcherCount -= process.monitors.count + process.links.count
        return process.links.map { linker in
            Signal(
                node: linker.node,
                message: .exit(from: pid, to: linker, reason: reason, token: nil))
        }
            + process.monitors.map { reference, monitor in
                Signal(
                    node: monitor.watcher.node,
                    message: .down(
                        from: monitor.target, to: monitor.watcher, reference: reference,
                        reason: reason))
            }
    }

    /// A connection has ended: its watchers have been told by their own node.
    mutating func forgetWatchers(on node: Atom) {
        for id in processes.keys {
            guard var process = processes[id] else { continue }
            let before = process.monitors.count + process.links.count
            process.monitors = process.monitors.filter { $0.value.watcher.node != node }
            process.links = process.links.filter { $0.node != node }
            watcherCount -= before - process.monitors.count - process.links.count
            processes[id] = process
        }
    }
}

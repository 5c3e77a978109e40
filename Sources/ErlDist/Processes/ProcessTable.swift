internal import ExternalTermFormat

/// Knows which processes of this node live, their numbers and names, and who watches them.
///
/// Numbers count upwards and repeat only after 2³² processes. It does no I/O: it returns what must
/// be sent, and to which node.
struct ProcessTable {
    /// A message for a node.
    struct Signal: Equatable {
        var node: Atom
        var message: ControlMessage
    }

    /// Who has a registered name.
    private enum Owner: Equatable {
        /// The node itself, for as long as it lives.
        case node
        case process(UInt32)
    }

    private struct Monitor: Equatable {
        var watcher: PID
        /// How the watcher named the process; the answer names it in the same way.
        var target: ProcessIdentifier
    }

    private struct Process {
        var monitors: [Reference: Monitor] = [:]
        var links = LinkTable()
        var names: Set<Atom> = []
    }

    /// How many monitors and links all our processes together may have. A process that ends tells
    /// all its watchers at once.
    static let maximumWatchers = 10_000

    private var processes: [UInt32: Process] = [:]
    private var names: [Atom: Owner] = [:]
    /// The process that a monitor by name has found. When the monitor is removed the name may
    /// belong to another process.
    private var monitoredByName: [Reference: UInt32] = [:]
    private var nextID: UInt32 = 1
    private var watcherCount = 0

    // MARK: Numbers and names

    /// Registers a name of the node itself, which counts as alive from now on.
    mutating func register(_ name: Atom) { names[name] = .node }

    /// Gives a living process a name; `false` when the name is taken.
    mutating func register(_ name: Atom, for id: UInt32) -> Bool {
        guard names[name] == nil, processes[id] != nil else { return false }
        names[name] = .process(id)
        processes[id]?.names.insert(name)
        return true
    }

    /// Takes a name from a process; `false` when it does not have it.
    mutating func unregister(_ name: Atom, of id: UInt32) -> Bool {
        guard names[name] == .process(id) else { return false }
        names[name] = nil
        processes[id]?.names.remove(name)
        return true
    }

    /// The process that has a name.
    func process(named name: Atom) -> UInt32? {
        if case .process(let id)? = names[name] { id } else { nil }
    }

    /// Starts a new process, and returns its number.
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
        case .name(let name): names[name] != nil
        case .pid(let pid): pid.serial == GroupLeader.serial || processes[pid.id] != nil
        }
    }

    /// The number of the living process that `target` means. Group leaders and the node's own names
    /// have none: they last as long as the connection, and the watcher's own node tells of its end.
    private func watchedProcess(_ target: ProcessIdentifier) -> UInt32? {
        switch target {
        case .name(let name): process(named: name)
        case .pid(let pid):
            pid.serial != GroupLeader.serial && processes[pid.id] != nil ? pid.id : nil
        }
    }

    // MARK: Watchers

    /// MONITOR_P. For a dead process the answer is returned at once.
    mutating func monitor(
        from watcher: PID, to target: ProcessIdentifier, reference: Reference
    ) -> ControlMessage? {
        guard isAlive(target), watcherCount < Self.maximumWatchers else {
            return .down(
                from: target, to: watcher, reference: reference, reason: .atom(Atom("noproc")))
        }
        guard let id = watchedProcess(target) else { return nil }
        let old = processes[id]?.monitors.updateValue(
            Monitor(watcher: watcher, target: target), forKey: reference)
        if old == nil { watcherCount += 1 }
        if case .name = target { monitoredByName[reference] = id }
        return nil
    }

    mutating func demonitor(_ target: ProcessIdentifier, reference: Reference) {
        let id: UInt32?
        switch target {
        case .pid(let pid): id = pid.id
        case .name: id = monitoredByName.removeValue(forKey: reference)
        }
        guard let id else { return }
        if processes[id]?.monitors.removeValue(forKey: reference) != nil { watcherCount -= 1 }
    }

    /// LINK. A link to a dead process ends at once.
    mutating func link(from linker: PID, to pid: PID) -> ControlMessage? {
        guard isAlive(.pid(pid)), watcherCount < Self.maximumWatchers else {
            return .exit(from: pid, to: linker, reason: .atom(Atom("noproc")), token: nil)
        }
        _ = updateLinks(of: pid) { $0.linkReceived(from: linker) }
        return nil
    }

    /// UNLINK_ID, or UNLINK.
    mutating func unlink(from linker: PID, to pid: PID) {
        _ = updateLinks(of: pid) { $0.unlinkReceived(from: linker) }
    }

    /// UNLINK_ID_ACK.
    mutating func acknowledgeUnlink(number: UInt64, from linker: PID, to pid: PID) {
        _ = updateLinks(of: pid) { $0.acknowledgementReceived(from: linker, number: number) }
    }

    /// EXIT.
    /// - Returns: whether the process must react to it.
    mutating func exitReceived(from linker: PID, to pid: PID) -> Bool {
        updateLinks(of: pid) { $0.exitReceived(from: linker) } ?? false
    }

    /// One of our processes links itself to another.
    /// - Returns: whether LINK is to be sent; `nil` for a process that has ended.
    mutating func startLink(of id: UInt32, to other: PID) -> Bool? {
        updateLinks(of: id) { $0.link(to: other) }
    }

    /// One of our processes removes its link to another.
    /// - Returns: whether UNLINK_ID is to be sent.
    mutating func startUnlink(of id: UInt32, from other: PID, number: UInt64) -> Bool {
        updateLinks(of: id) { $0.unlink(from: other, number: number) } ?? false
    }

    private mutating func updateLinks<Result>(
        of pid: PID, _ body: (inout LinkTable) -> Result
    ) -> Result? {
        guard pid.serial != GroupLeader.serial else { return nil }
        return updateLinks(of: pid.id, body)
    }

    private mutating func updateLinks<Result>(
        of id: UInt32, _ body: (inout LinkTable) -> Result
    ) -> Result? {
        guard let index = processes.index(forKey: id) else { return nil }
        let before = processes.values[index].links.count
        defer { watcherCount += processes.values[index].links.count - before }
        return body(&processes.values[index].links)
    }

    // MARK: Ends

    /// The process has ended.
    /// - Parameter pidForNode: the pid by which a node knows the process, when that differs from
    ///   `pid`.
    /// - Returns: what its watchers are told.
    mutating func end(
        _ pid: PID, reason: Term, pidForNode: ((Atom) -> PID)? = nil
    ) -> [Signal] {
        guard let process = processes.removeValue(forKey: pid.id) else { return [] }
        watcherCount -= process.monitors.count + process.links.count
        for name in process.names { names[name] = nil }
        let exits = process.links.active.map { linker in
            Signal(
                node: linker.node,
                message: .exit(
                    from: pidForNode?(linker.node) ?? pid, to: linker, reason: reason, token: nil))
        }
        let downs = process.monitors.map { reference, monitor in
            monitoredByName[reference] = nil
            return Signal(
                node: monitor.watcher.node,
                message: .down(
                    from: monitor.target, to: monitor.watcher, reference: reference,
                    reason: reason))
        }
        return exits + downs
    }

    /// A connection has ended. The watchers on that node were told by their own node.
    /// - Returns: our processes that were linked to processes of that node, and to which.
    mutating func forgetWatchers(on node: Atom) -> [(id: UInt32, linked: PID)] {
        var lost: [(id: UInt32, linked: PID)] = []
        for id in processes.keys {
            guard var process = processes[id] else { continue }
            let before = process.monitors.count + process.links.count
            for (reference, monitor) in process.monitors where monitor.watcher.node == node {
                process.monitors[reference] = nil
                monitoredByName[reference] = nil
            }
            lost += process.links.removeAll(on: node).map { (id, $0) }
            watcherCount -= before - process.monitors.count - process.links.count
            processes[id] = process
        }
        return lost
    }
}

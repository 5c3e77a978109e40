internal import ExternalTermFormat
internal import Transport

/// The processes of a node. They belong to its isolation.
///
/// Most of it serves ``ErlangProcess``. A call from another node also runs as a process here, in
/// the sense that others can name it, monitor it and link to it. For such calls the rest of the
/// node uses ``start()`` and the functions beside it, ``receive(_:from:byteCount:)`` and
/// ``connectionEnded(_:_:)``.
final class LocalProcesses {
    /// Ends a process that runs a call from another node, because of a signal.
    var kill: (PID, Term) -> Void = { _, _ in }

    private let identity: NodeIdentity
    private let peers: Peers
    private let log: NodeLog
    private let loop: EventLoop
    private var table = ProcessTable()
    /// The processes that users hold, ended ones included.
    private var processes: [UInt32: LocalProcess] = [:]
    /// The process that each of our aliases belongs to.
    private var aliases: [Reference: UInt32] = [:]
    /// Signals between processes of this node, and whether they are being handled.
    private var localSignals: [ControlMessage] = []
    private var isHandlingLocalSignals = false
    private var lastUnlinkNumber: UInt64 = 0

    init(identity: NodeIdentity, peers: Peers, log: NodeLog, loop: EventLoop) {
        self.identity = identity
        self.peers = peers
        self.log = log
        self.loop = loop
        // Callers that use these names monitor them first.
        table.register(Atom("net_kernel"))
        table.register(Atom("rex"))
    }

    // MARK: Processes that run calls, and numbers

    /// A number that no living process has.
    func newID() -> UInt32 { table.newID() }

    /// The number of a new process that runs a call. ``end(_:reason:)`` ends it.
    func start() -> UInt32 { table.start() }

    /// Registers whoever asked for a process: it will be told of the process's end.
    func watch(_ pid: PID, by watcher: PID, monitor: Reference?, isLinked: Bool) {
        if let monitor { _ = table.monitor(from: watcher, to: .pid(pid), reference: monitor) }
        if isLinked { _ = table.link(from: watcher, to: pid) }
    }

    /// Tells those who watch a process that the process has ended.
    func end(_ pid: PID, reason: Term) {
        for signal in table.end(pid, reason: reason) { transmit(signal.message, to: signal.node) }
    }

    /// Whether a process has this name; the node's own names do not count.
    func hasProcess(named name: Atom) -> Bool { table.process(named: name) != nil }

    /// The process that an alias belongs to.
    func process(ofAlias alias: Reference) -> UInt32? { aliases[alias] }

    // MARK: Processes of the library

    func spawn(trapsExits: Bool, capacity: MailboxCapacity) -> UInt32 {
        let id = table.start()
        processes[id] = LocalProcess(id: id, capacity: capacity, trapsExits: trapsExits)
        return id
    }

    /// Nobody holds the process any more.
    func forget(_ id: UInt32) {
        end(id, reason: .atom(.normal))
        processes[id] = nil
    }

    func end(_ id: UInt32, reason: Term) {
        if let process = living(id) { end(process, reason: reason) }
    }

    func endAll(reason: Term) {
        for id in Array(processes.keys) { end(id, reason: reason) }
    }

    private func living(_ id: UInt32) -> LocalProcess? {
        guard let process = processes[id], process.exitReason == nil else { return nil }
        return process
    }

    private func livingOrThrow(_ id: UInt32) throws(ProcessError) -> LocalProcess {
        guard let process = living(id) else {
            throw .ended(reason: exitReason(of: id) ?? .atom("noproc"))
        }
        return process
    }

    /// The process that wants to send or call; throws when it has ended.
    @discardableResult
    func livingForCall(_ id: UInt32) throws(CallError) -> LocalProcess {
        do throws(ProcessError) {
            return try livingOrThrow(id)
        } catch {
            throw .refused("\(error)")
        }
    }

    /// The pid by which processes of this node name the process.
    func pid(of id: UInt32) -> PID { identity.pid(id, creation: identity.creation) }

    /// The pid by which a node knows a process of ours, whether the node is connected or not.
    private func pid(_ id: UInt32, for node: Atom) -> PID {
        identity.pid(id, creation: creation(for: node))
    }

    func makeReference(for node: Atom) -> Reference {
        identity.makeReference(creation: creation(for: node))
    }

    private func creation(for node: Atom) -> UInt32 {
        peers[node]?.ownCreation ?? identity.creation
    }

    /// Whether a pid of ours belongs to this life of the node.
    func isCurrent(_ pid: PID, for node: Atom) -> Bool {
        pid.creation == identity.creation || pid.creation == peers[node]?.ownCreation
    }

    func exitReason(of id: UInt32) -> Term? { processes[id]?.exitReason }

    func setTrapsExits(_ trapsExits: Bool, of id: UInt32) {
        living(id)?.trapsExits = trapsExits
    }

    func register(_ name: Atom, for id: UInt32) throws(ProcessError) {
        _ = try livingOrThrow(id)
        guard table.register(name, for: id) else { throw .nameTaken(name) }
    }

    func unregister(_ name: Atom, of id: UInt32) -> Bool {
        table.unregister(name, of: id)
    }

    func makeAlias(for id: UInt32) throws(ProcessError) -> Reference {
        let process = try livingOrThrow(id)
        let alias = makeReference(for: identity.atom)
        process.aliases.insert(alias)
        aliases[alias] = id
        return alias
    }

    func removeAlias(_ alias: Reference, of id: UInt32) {
        guard processes[id]?.aliases.remove(alias) != nil else { return }
        aliases[alias] = nil
    }

    // MARK: Sending

    /// Sends a message to a process on a node that is connected, or on this node.
    /// - Returns: the peer that it was sent to.
    func send(
        _ message: Term, from id: UInt32, to destination: ProcessDestination, on node: Atom
    ) throws(CallError) -> PeerConnection? {
        try livingForCall(id)
        let from = pid(id, for: node)
        let signal: ControlMessage =
            switch destination {
            case .pid(let pid): .send(from: from, to: pid, message: message, token: nil)
            case .name(let name, _):
                .registeredSend(from: from, to: name, message: message, token: nil)
            case .alias(let alias):
                .aliasSend(from: from, to: alias, message: message, token: nil)
            }
        return try transmitIfRoom(signal, to: node)
    }

    func sendExit(to pid: PID, reason: Term, from id: UInt32) throws(CallError) {
        try livingForCall(id)
        let from = self.pid(id, for: pid.node)
        _ = try transmitIfRoom(
            .exitRequest(from: from, to: pid, reason: reason, token: nil), to: pid.node)
    }

    func reply(_ reply: Term, to call: ServerCall, from id: UInt32) {
        let node = call.pid.node
        if let peer = peers[node] {
            peer.answer(call.caller, reply, from: id)
        } else {
            transmit(call.caller.answer(reply, from: pid(of: id), byAlias: true), to: node)
        }
    }

    /// Sends a signal to another node, or handles it here when it is for this node.
    private func transmit(_ signal: ControlMessage, to node: Atom) {
        if let peer = peers[node] {
            peer.connection.send(signal)
        } else if node == identity.atom {
            handleLocally(signal)
        }
    }

    private func transmitIfRoom(
        _ signal: ControlMessage, to node: Atom
    ) throws(CallError) -> PeerConnection? {
        guard let peer = peers[node] else {
            guard node == identity.atom else { throw .connectionLost(.closedByPeer) }
            handleLocally(signal)
            return nil
        }
        guard peer.connection.sendIfRoom(signal) else {
            throw .queueFull(peer.connection, peer.peer.name)
        }
        return peer
    }

    /// Handles signals one after the other: the end of a process can end those linked to it, and so
    /// on.
    private func handleLocally(_ signal: ControlMessage) {
        localSignals.append(signal)
        guard !isHandlingLocalSignals else { return }
        isHandlingLocalSignals = true
        defer { isHandlingLocalSignals = false }
        while !localSignals.isEmpty {
            let signals = localSignals
            localSignals = []
            for signal in signals { receive(signal, from: identity.atom, byteCount: 0) }
        }
    }

    // MARK: Watching others

    /// - Parameter isReached: whether the destination's node is connected, or is this node.
    func monitor(
        _ destination: ProcessDestination, from id: UInt32, isReached: Bool
    ) -> Reference {
        let node = destination.node
        let reference = makeReference(for: node)
        guard let process = living(id) else { return reference }
        guard let target = ProcessIdentifier(destination), isReached else {
            let reason = Term.atom(isReached ? "noproc" : "noconnection")
            enqueue(
                .down(.init(monitor: reference, process: destination, reason: reason)), process)
            return reference
        }
        process.monitors[reference] = .init(target: target, destination: destination, node: node)
        transmit(.monitor(from: pid(id, for: node), to: target, reference: reference), to: node)
        return reference
    }

    func demonitor(_ reference: Reference, from id: UInt32) {
        guard let process = processes[id] else { return }
        process.removeDown(reference)
        guard let monitor = process.monitors.removeValue(forKey: reference) else { return }
        demonitor(reference, monitor.target, monitor.node, from: id)
    }

    private func demonitor(
        _ reference: Reference, _ target: ProcessIdentifier, _ node: Atom, from id: UInt32
    ) {
        transmit(
            .demonitor(from: pid(id, for: node), to: target, reference: reference), to: node)
    }

    /// - Parameter isReached: whether the node of `pid` is connected, or is this node.
    func link(_ id: UInt32, to pid: PID, isReached: Bool) {
        guard let process = living(id) else { return }
        guard isReached else {
            return exitSignal(process, from: pid, reason: .atom("noconnection"), isLink: true)
        }
        let own = self.pid(id, for: pid.node)
        guard own != pid, table.startLink(of: id, to: pid) == true else { return }
        transmit(.link(from: own, to: pid), to: pid.node)
    }

    func unlink(_ id: UInt32, from pid: PID) {
        lastUnlinkNumber &+= 1
        guard table.startUnlink(of: id, from: pid, number: lastUnlinkNumber) else { return }
        transmit(
            .unlinkID(id: lastUnlinkNumber, from: self.pid(id, for: pid.node), to: pid),
            to: pid.node)
    }

    // MARK: Calling servers

    /// Calls a server on a node that is connected, or on this node.
    /// - Parameter reference: the call's monitor, alias and tag.
    func call(
        _ target: ProcessIdentifier, _ request: Term, from id: UInt32, on node: Atom,
        _ reference: Reference, deadline: MonotonicTime,
        _ continuation: CheckedContinuation<Result<Term, CallError>, Never>
    ) {
        guard let process = living(id) else {
            return continuation.resume(returning: .failure(.cancelled))
        }
        let timer = loop.schedule(at: deadline) { [self] in
            endCall(reference, of: process, .failure(.timedOut))
        }
        process.calls[reference] = .init(
            target: target, node: node, continuation: continuation, timer: timer)
        aliases[reference] = id
        let own = pid(id, for: node)
        // The monitor goes first: without it a call to a server that does not exist gets no answer.
        transmit(.monitor(from: own, to: target, reference: reference), to: node)
        let tag = Term.list([GenCaller.aliasMarker], tail: .reference(reference))
        let message = Term.tuple([.atom("$gen_call"), .tuple([.pid(own), tag]), request])
        do throws(CallError) {
            _ = try transmitIfRoom(target.send(from: own, message: message), to: node)
        } catch {
            endCall(reference, of: process, .failure(error))
        }
    }

    func cancelCall(_ reference: Reference, of id: UInt32) {
        if let process = processes[id] { endCall(reference, of: process, .failure(.cancelled)) }
    }

    /// - Parameter isMonitored: whether the other side still has our monitor.
    private func endCall(
        _ reference: Reference, of process: LocalProcess, _ result: Result<Term, CallError>,
        isMonitored: Bool = true
    ) {
        guard let call = process.calls.removeValue(forKey: reference) else { return }
        aliases[reference] = nil
        call.timer?.cancel()
        if isMonitored { demonitor(reference, call.target, call.node, from: process.id) }
        call.continuation.resume(returning: result)
    }

    // MARK: Receiving

    /// The next message of a process; `nil` when none has come yet.
    func nextMessage(of id: UInt32) throws(ReceiveError) -> ProcessMessage? {
        guard let process = processes[id] else { throw .ended(reason: .atom("noproc")) }
        if let reason = process.exitReason { throw .ended(reason: reason) }
        return process.nextMessage()
    }

    /// Resumes `continuation` when a message comes or the time is up.
    func wait(
        _ number: UInt64, for id: UInt32, timeout: Duration?,
        _ continuation: LocalProcess.Continuation
    ) {
        guard let process = processes[id] else {
            return continuation.resume(returning: .failure(.ended(reason: .atom("noproc"))))
        }
        let timer = timeout.map { timeout in
            loop.schedule(after: timeout) { process.endWait(number, .timedOut) }
        }
        process.wait(number, timer, continuation)
    }

    func cancelWait(_ number: UInt64, of id: UInt32) {
        processes[id]?.endWait(number, .cancelled)
    }

    // MARK: Signals

    /// Handles a signal to one of our processes. Answers go back to `node`.
    /// - Parameter byteCount: the size of the signal as it came; 0 for a signal from this node.
    func receive(_ signal: ControlMessage, from node: Atom, byteCount: Int) {
        switch signal {
        case .send(let from, let to, let message, _):
            deliver(message, from, to: to.id, byteCount)
        case .registeredSend(let from, let name, let message, _):
            deliver(message, from, to: table.process(named: name), byteCount)
        case .aliasSend(let from, let alias, let message, _):
            deliver(message, from, to: aliases[alias], byteCount)
        case .monitor(let from, let to, let reference):
            // Otherwise a node that never asked would be told of the process's end.
            guard from.node == node else { return }
            if case .pid(let pid) = to, !isCurrent(pid, for: node) {
                return transmit(
                    .down(from: to, to: from, reference: reference, reason: .atom("noproc")),
                    to: node)
            }
            if let answer = table.monitor(from: from, to: to, reference: reference) {
                transmit(answer, to: node)
            }
        case .demonitor(_, let to, let reference):
            table.demonitor(to, reference: reference)
        case .link(let from, let to):
            guard from.node == node else { return }
            guard isCurrent(to, for: node) else {
                return transmit(
                    .exit(from: to, to: from, reason: .atom("noproc"), token: nil), to: node)
            }
            if let answer = table.link(from: from, to: to) { transmit(answer, to: node) }
        case .unlink(let from, let to):
            table.unlink(from: from, to: to)
        case .unlinkID(let number, let from, let to):
            table.unlink(from: from, to: to)
            transmit(.unlinkAcknowledgement(id: number, from: to, to: from), to: node)
        case .unlinkAcknowledgement(let number, let from, let to):
            table.acknowledgeUnlink(number: number, from: from, to: to)
        case .exit(let from, let to, let sent, _):
            let reason = Echo.reason(sent)
            guard table.exitReceived(from: from, to: to) else { return }
            if let process = processes[to.id] {
                exitSignal(process, from: from, reason: reason, isLink: true)
            } else {
                kill(to, reason)
            }
        case .exitRequest(let from, let to, let sent, _):
            let reason = Echo.reason(sent)
            guard isCurrent(to, for: node) else { return }
            if to.serial != GroupLeader.serial, let process = processes[to.id] {
                exitSignal(process, from: from, reason: reason, isLink: false)
            } else {
                kill(to, reason == .atom("kill") ? .atom("killed") : reason)
            }
        case .down(_, let to, let reference, let reason):
            if let process = processes[to.id] { down(process, reference, reason) }
        case .spawnRequest, .spawnReply, .alternativeSend, .groupLeader, .nodeLink:
            preconditionFailure("Not a signal to a process")
        }
    }

    private func deliver(_ message: Term, _ from: PID?, to id: UInt32?, _ byteCount: Int) {
        guard let id, let process = processes[id] else { return }
        if let (reference, reply) = Self.answer(in: message), process.calls[reference] != nil {
            return endCall(reference, of: process, .success(reply))
        }
        enqueue(.message(message, from: from), process, byteCount)
    }

    /// Reads `{[alias | Reference], Reply}`, an answer with our tag.
    private static func answer(in message: Term) -> (reference: Reference, reply: Term)? {
        guard case .tuple(let fields) = message, fields.count == 2,
            case .improperList(let head, .reference(let reference)) = fields[0],
            head == [GenCaller.aliasMarker]
        else { return nil }
        return (reference, fields[1])
    }

    private func enqueue(
        _ message: ProcessMessage, _ process: LocalProcess, _ byteCount: Int = 0
    ) {
        switch process.deliver(message, byteCount: byteCount) {
        case .kept: return
        case .dropped: reportFull(process, "messages are thrown away")
        case .overflowed:
            reportFull(process, "the process ends")
            end(process, reason: .atom("message_queue_full"))
        }
    }

    private func reportFull(_ process: LocalProcess, _ consequence: String) {
        log.report(
            .warning, cause: "full \(process.id)", of: "mailboxes",
            "The mailbox of process \(process.id) is full: \(consequence)")
    }

    private func down(_ process: LocalProcess, _ reference: Reference, _ reason: Term) {
        if process.calls[reference] != nil {
            return endCall(
                reference, of: process,
                .failure(.exception(class: .exit, reason: reason, stack: [])), isMonitored: false)
        }
        guard let monitor = process.monitors.removeValue(forKey: reference) else { return }
        enqueue(
            .down(.init(monitor: reference, process: monitor.destination, reason: reason)),
            process)
    }

    // MARK: Ends

    /// Source: "Receiving Exit Signals", Erlang reference manual, "Processes".
    private func exitSignal(_ process: LocalProcess, from: PID, reason: Term, isLink: Bool) {
        guard process.exitReason == nil else { return }
        if !isLink, reason == .atom("kill") { return end(process, reason: .atom("killed")) }
        if process.trapsExits { return enqueue(.exit(from: from, reason: reason), process) }
        guard reason == .atom(.normal) else { return end(process, reason: reason) }
        // A process that sends `normal` to itself ends. From others `normal` has no effect.
        if !isLink, from.id == process.id, from.node == identity.atom {
            end(process, reason: reason)
        }
    }

    private func end(_ process: LocalProcess, reason: Term) {
        guard process.exitReason == nil else { return }
        process.end(reason)
        for alias in process.aliases { aliases[alias] = nil }
        process.aliases = []
        let id = process.id
        for (reference, monitor) in process.monitors {
            demonitor(reference, monitor.target, monitor.node, from: id)
        }
        process.monitors = [:]
        for reference in Array(process.calls.keys) {
            endCall(
                reference, of: process, .failure(.refused("the process has ended: \(reason.brief)"))
            )
        }
        process.endWaits()
        let signals = table.end(
            pid(of: id), reason: reason, pidForNode: { self.pid(id, for: $0) })
        for signal in signals { transmit(signal.message, to: signal.node) }
    }

    /// The connection to a node has ended: tells our processes that watch processes there.
    func connectionEnded(_ node: Atom, _ reason: DisconnectReason) {
        let lostLinks = table.forgetWatchers(on: node)
        let noconnection = Term.atom("noconnection")
        for process in Array(processes.values) {
            for (reference, call) in process.calls where call.node == node {
                endCall(
                    reference, of: process, .failure(.connectionLost(reason)), isMonitored: false)
            }
            for (reference, monitor) in process.monitors where monitor.node == node {
                down(process, reference, noconnection)
            }
        }
        for (id, linked) in lostLinks {
            if let process = processes[id] {
                exitSignal(process, from: linked, reason: noconnection, isLink: true)
            } else {
                kill(pid(of: id), noconnection)
            }
        }
    }
}

internal import ExternalTermFormat
internal import Transport

// What the processes of this node do: the other half of ``ErlangProcess``.

extension Node {
    /// A new process with a pid and an empty mailbox. It lives until it ends, or nobody holds it.
    /// - Parameter trapsExits: whether exit signals become messages instead of ending it.
    public func spawnProcess(
        trapsExits: Bool = false, mailbox: MailboxCapacity = MailboxCapacity()
    ) -> ErlangProcess {
        let id = processes.start()
        localProcesses[id] = LocalProcess(id: id, capacity: mailbox, trapsExits: trapsExits)
        return ErlangProcess(node: self, id: id)
    }

    func forgetProcess(_ id: UInt32) {
        endProcess(id, reason: .atom(.normal))
        localProcesses[id] = nil
    }

    func endProcess(_ id: UInt32, reason: Term) {
        if let process = living(id) { end(process, reason: reason) }
    }

    private func living(_ id: UInt32) -> LocalProcess? {
        guard let process = localProcesses[id], process.exitReason == nil else { return nil }
        return process
    }

    // MARK: Who it is

    func pid(of id: UInt32) -> PID {
        PID(node: ownAtom, id: id, serial: 0, creation: creation)
    }

    func exitReason(of id: UInt32) -> Term? {
        localProcesses[id]?.exitReason
    }

    func register(_ name: Atom, for id: UInt32) throws(ProcessError) {
        _ = try livingOrThrow(id)
        guard processes.register(name, for: id) else { throw .nameTaken(name) }
    }

    func unregister(_ name: Atom, of id: UInt32) -> Bool {
        processes.unregister(name, of: id)
    }

    func makeAlias(for id: UInt32) throws(ProcessError) -> Reference {
        let process = try livingOrThrow(id)
        let alias = makeReference(for: ownAtom)
        process.aliases.insert(alias)
        aliases[alias] = id
        return alias
    }

    func removeAlias(_ alias: Reference, of id: UInt32) {
        guard localProcesses[id]?.aliases.remove(alias) != nil else { return }
        aliases[alias] = nil
    }

    private func livingOrThrow(_ id: UInt32) throws(ProcessError) -> LocalProcess {
        guard let process = localProcesses[id], process.exitReason == nil else {
            throw .ended(reason: exitReason(of: id) ?? .atom("noproc"))
        }
        return process
    }

    private func livingForCall(_ id: UInt32) throws(CallError) -> LocalProcess {
        do throws(ProcessError) {
            return try livingOrThrow(id)
        } catch {
            throw .refused("\(error)")
        }
    }

    func setTrapsExits(_ trapsExits: Bool, of id: UInt32) {
        living(id)?.trapsExits = trapsExits
    }

    // MARK: Sending

    func send(
        _ message: Term, from id: UInt32, to destination: ProcessDestination
    ) async throws(CallError) {
        let node = try await reach(destination)
        _ = try livingForCall(id)
        let from = pid(id, for: node)
        let signal: ControlMessage =
            switch destination {
            case .pid(let pid): .send(from: from, to: pid, message: message, token: nil)
            case .name(let name, _):
                .registeredSend(from: from, to: name, message: message, token: nil)
            case .alias(let alias):
                .aliasSend(from: from, to: alias, message: message, token: nil)
            }
        try transmitIfRoom(signal, to: node)
        guard let link = links[node] else { return }
        switch link.connection.relieve() {
        case .none: return
        case .yield: await Task.yield()
        // The connection may have ended by now; then nothing will be sent any more.
        case .wait: if links[node] === link { await waitUntilSent(link) }
        }
    }

    /// Lets what has been sent leave first, so that a task which sends without end neither fills the queue
    /// nor keeps the loop from all others. OTP suspends such processes too (`+zdbbl` in erl(1)).
    private func waitUntilSent(_ link: PeerLink) async {
        nextToken &+= 1
        let token = nextToken
        let node = link.peer.name.atom
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume() }
                if link.senders.isEmpty {
                    link.connection.whenSent { self.resumeSenders(link) }
                }
                link.senders[token] = continuation
            }
        } onCancel: {
            Task { await self.resumeSender(token, on: node) }
        }
    }

    func resumeSenders(_ link: PeerLink) {
        let senders = link.senders
        link.senders = [:]
        for continuation in senders.values { continuation.resume() }
    }

    private func resumeSender(_ token: UInt64, on node: Atom) {
        links[node]?.senders.removeValue(forKey: token)?.resume()
    }

    func sendExit(to pid: PID, reason: Term, from id: UInt32) async throws(CallError) {
        let node = try await reach(.pid(pid))
        _ = try livingForCall(id)
        try transmitIfRoom(
            .exitRequest(from: self.pid(id, for: node), to: pid, reason: reason, token: nil),
            to: node)
    }

    func reply(_ reply: Term, to call: ServerCall, from id: UInt32) {
        let node = call.pid.node
        if let link = links[node] {
            answer(call.caller, reply, link, from: id)
        } else if node == ownAtom {
            let message = Term.tuple([call.caller.tag, reply])
            let from = pid(id, for: node)
            transmit(
                call.caller.alias.map {
                    .aliasSend(from: from, to: $0, message: message, token: nil)
                } ?? .send(from: from, to: call.pid, message: message, token: nil), to: node)
        }
    }

    /// Connects the node of a destination unless it is connected, or this one.
    /// - Returns: the node's name.
    func reach(
        _ destination: ProcessDestination, deadline: MonotonicTime? = nil
    ) async throws(CallError) -> Atom {
        let atom = destination.node
        if links[atom] != nil || atom == ownAtom { return atom }
        let name: NodeName
        if case .name(_, let node) = destination {
            name = node
        } else {
            do throws(NodeNameError) {
                name = try NodeName(atom.name)
            } catch {
                throw .refused("\(atom.name): \(error)")
            }
        }
        if let deadline {
            try await connect(to: name, deadline: deadline)
        } else {
            try await connect(to: name)
        }
        return atom
    }

    /// Sends a signal to a node, or handles it when the node is this one.
    func transmit(_ signal: ControlMessage, to node: Atom) {
        if let link = links[node] {
            link.connection.send(signal)
        } else if node == ownAtom {
            handleLocally(signal)
        }
    }

    private func transmitIfRoom(_ signal: ControlMessage, to node: Atom) throws(CallError) {
        guard let link = links[node] else {
            if node == ownAtom { return handleLocally(signal) }
            throw .connectionLost(.closedByPeer)
        }
        guard link.connection.sendIfRoom(signal) else {
            throw .refused(
                "too many bytes wait to be sent to \(link.peer.name): it reads too slowly")
        }
    }

    /// One after the other: the end of a process can be the end of those linked to it, and so on.
    private func handleLocally(_ signal: ControlMessage) {
        localSignals.append(signal)
        guard !isHandlingLocalSignals else { return }
        isHandlingLocalSignals = true
        defer { isHandlingLocalSignals = false }
        while !localSignals.isEmpty {
            let signals = localSignals
            localSignals = []
            for signal in signals { receiveSignal(signal, from: ownAtom) }
        }
    }

    // MARK: Watching

    func monitor(
        _ destination: ProcessDestination, from id: UInt32
    ) async -> Reference {
        let node = destination.node
        let isReached = await isReachable(destination)
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
        guard let process = localProcesses[id] else { return }
        process.mailbox.removeDown(reference)
        guard let monitor = process.monitors.removeValue(forKey: reference) else { return }
        transmit(
            .demonitor(from: pid(id, for: monitor.node), to: monitor.target, reference: reference),
            to: monitor.node)
    }

    func link(_ id: UInt32, to pid: PID) async {
        let isReached = await isReachable(.pid(pid))
        guard let process = living(id) else { return }
        guard isReached else {
            return exitSignal(process, from: pid, reason: .atom("noconnection"), isLink: true)
        }
        let own = self.pid(id, for: pid.node)
        guard own != pid, processes.startLink(of: id, to: pid) == true else { return }
        transmit(.link(from: own, to: pid), to: pid.node)
    }

    func unlink(_ id: UInt32, from pid: PID) {
        nextUnlinkNumber &+= 1
        guard processes.startUnlink(of: id, from: pid, number: nextUnlinkNumber) else { return }
        transmit(
            .unlinkID(id: nextUnlinkNumber, from: self.pid(id, for: pid.node), to: pid),
            to: pid.node)
    }

    private func isReachable(_ destination: ProcessDestination) async -> Bool {
        do throws(CallError) {
            _ = try await reach(destination)
            return links[destination.node] != nil || destination.node == ownAtom
        } catch {
            return false
        }
    }

    // MARK: Calling servers

    func callServer(
        _ server: ProcessDestination, _ request: Term, from id: UInt32, timeout: Duration
    ) async throws(CallError) -> Term {
        let deadline = MonotonicTime.now + timeout
        guard let target = ProcessIdentifier(server) else {
            throw .refused("an alias cannot be called")
        }
        let node = try await reach(server, deadline: deadline)
        let process = try livingForCall(id)
        guard !Task.isCancelled else { throw .cancelled }
        let reference = makeReference(for: node)
        let own = pid(id, for: node)
        // First the monitor: a server that does not exist answers nothing else.
        transmit(.monitor(from: own, to: target, reference: reference), to: node)
        let tag = Term.list([GenCaller.aliasMarker], tail: .reference(reference))
        let message = Term.tuple([.atom("$gen_call"), .tuple([.pid(own), tag]), request])
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let timer = loop.schedule(at: deadline) {
                    self.endCall(reference, of: process, .failure(.timedOut))
                }
                process.calls[reference] = .init(
                    target: target, node: node, continuation: continuation, timer: timer)
                aliases[reference] = id
                do throws(CallError) {
                    try transmitIfRoom(
                        target.send(from: own, message: message), to: node)
                } catch {
                    endCall(reference, of: process, .failure(error))
                }
            }
        } onCancel: {
            Task { await self.cancelServerCall(reference, of: id) }
        }
        return try result.get()
    }

    private func cancelServerCall(_ reference: Reference, of id: UInt32) {
        if let process = localProcesses[id] {
            endCall(reference, of: process, .failure(.cancelled))
        }
    }

    /// - Parameter isMonitored: whether the other side still has our monitor.
    func endCall(
        _ reference: Reference, of process: LocalProcess, _ result: Result<Term, CallError>,
        isMonitored: Bool = true
    ) {
        guard let call = process.calls.removeValue(forKey: reference) else { return }
        aliases[reference] = nil
        call.timer?.cancel()
        if isMonitored {
            transmit(
                .demonitor(
                    from: pid(process.id, for: call.node), to: call.target, reference: reference),
                to: call.node)
        }
        call.continuation.resume(returning: result)
    }
}

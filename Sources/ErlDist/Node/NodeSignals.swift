internal import ExternalTermFormat
internal import Transport

// What reaches the processes of this node, from others and from each other.

extension Node {
    /// Handles a signal to one of our processes. Answers go back to `node`.
    func receiveSignal(_ signal: ControlMessage, from node: Atom) {
        switch signal {
        case .send(let from, let to, let message, _):
            if let process = localProcesses[to.id] { deliver(message, from: from, to: process) }
        case .registeredSend(let from, let name, let message, _):
            if let id = processes.process(named: name), let process = localProcesses[id] {
                deliver(message, from: from, to: process)
            }
        case .aliasSend(let from, let alias, let message, _):
            if let id = aliases[alias], let process = localProcesses[id] {
                deliver(message, from: from, to: process)
            }
        case .monitor(let from, let to, let reference):
            // Its end would be told to a node that never asked.
            guard from.node == node else { return }
            if case .pid(let pid) = to, !isCurrent(pid, for: node) {
                return transmit(
                    .down(
                        from: to, to: from, reference: reference, reason: .atom("noproc")),
                    to: node)
            }
            if let answer = processes.monitor(from: from, to: to, reference: reference) {
                transmit(answer, to: node)
            }
        case .demonitor(_, let to, let reference):
            processes.demonitor(to, reference: reference)
        case .link(let from, let to):
            guard from.node == node else { return }
            guard isCurrent(to, for: node) else {
                return transmit(
                    .exit(from: to, to: from, reason: .atom("noproc"), token: nil), to: node)
            }
            if let answer = processes.link(from: from, to: to) { transmit(answer, to: node) }
        case .unlink(let from, let to):
            processes.unlink(from: from, to: to)
        case .unlinkID(let number, let from, let to):
            processes.unlink(from: from, to: to)
            transmit(.unlinkAcknowledgement(id: number, from: to, to: from), to: node)
        case .unlinkAcknowledgement(let number, let from, let to):
            processes.acknowledgeUnlink(number: number, from: from, to: to)
        case .exit(let from, let to, let sent, _):
            let reason = Echo.reason(sent)
            guard processes.exitReceived(from: from, to: to) else { return }
            if let process = localProcesses[to.id] {
                exitSignal(process, from: from, reason: reason, isLink: true)
            } else {
                kill(to, reason)
            }
        case .exitRequest(let from, let to, let sent, _):
            let reason = Echo.reason(sent)
            guard isCurrent(to, for: node) else { return }
            if to.serial != ProcessTable.leaderSerial, let process = localProcesses[to.id] {
                exitSignal(process, from: from, reason: reason, isLink: false)
            } else {
                kill(to, reason == .atom("kill") ? .atom("killed") : reason)
            }
        case .down(_, let to, let reference, let reason):
            if let process = localProcesses[to.id] { down(process, reference, reason) }
        case .spawnRequest, .spawnReply, .alternativeSend, .groupLeader, .nodeLink:
            preconditionFailure("Not a signal to a process")
        }
    }

    // MARK: Messages

    private func deliver(_ message: Term, from: PID?, to process: LocalProcess) {
        if let (reference, reply) = Self.answer(in: message), process.calls[reference] != nil {
            return endCall(reference, of: process, .success(reply))
        }
        enqueue(.message(message, from: from), process)
    }

    /// `{[alias | Reference], Reply}`, with our tag.
    private static func answer(in message: Term) -> (reference: Reference, reply: Term)? {
        guard case .tuple(let fields) = message, fields.count == 2,
            case .improperList(let head, .reference(let reference)) = fields[0],
            head == [GenCaller.aliasMarker]
        else { return nil }
        return (reference, fields[1])
    }

    func enqueue(_ message: ProcessMessage, _ process: LocalProcess) {
        guard process.exitReason == nil else { return }
        if !process.waiters.isEmpty {
            let waiter = process.waiters.removeFirst()
            waiter.timer?.cancel()
            return waiter.continuation.resume(returning: .success(message))
        }
        switch process.mailbox.append(message, byteCount: receivedByteCount) {
        case .kept: return
        case .dropped:
            report(
                .warning, cause: "full \(process.id)", of: "mailboxes",
                "The mailbox of process \(process.id) is full: messages are thrown away")
        case .overflowed:
            report(
                .warning, cause: "full \(process.id)", of: "mailboxes",
                "The mailbox of process \(process.id) is full: the process ends")
            end(process, reason: .atom("message_queue_full"))
        }
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

    // MARK: Receiving

    func receive(
        _ id: UInt32, timeout: Duration?
    ) async throws(ReceiveError) -> ProcessMessage {
        guard let process = localProcesses[id] else { throw .ended(reason: .atom("noproc")) }
        if let reason = process.exitReason { throw .ended(reason: reason) }
        // Those who wait come first; there are none as long as there is a message.
        if let message = process.mailbox.popFirst() { return message }
        guard !Task.isCancelled else { throw .cancelled }
        nextToken &+= 1
        let token = nextToken
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let timer = timeout.map { timeout in
                    loop.schedule(after: timeout) {
                        self.endWait(token, of: id, .timedOut)
                    }
                }
                process.waiters.append(
                    .init(token: token, continuation: continuation, timer: timer))
            }
        } onCancel: {
            Task { await self.endWait(token, of: id, .cancelled) }
        }
        return try result.get()
    }

    private func endWait(_ token: UInt64, of id: UInt32, _ error: ReceiveError) {
        guard let process = localProcesses[id],
            let index = process.waiters.firstIndex(where: { $0.token == token })
        else { return }
        let waiter = process.waiters.remove(at: index)
        waiter.timer?.cancel()
        waiter.continuation.resume(returning: .failure(error))
    }

    // MARK: Ends

    /// Source: "Receiving Exit Signals", Erlang reference manual, "Processes".
    func exitSignal(_ process: LocalProcess, from: PID, reason: Term, isLink: Bool) {
        guard process.exitReason == nil else { return }
        if !isLink, reason == .atom("kill") { return end(process, reason: .atom("killed")) }
        if process.trapsExits { return enqueue(.exit(from: from, reason: reason), process) }
        guard reason == .atom(.normal) else { return end(process, reason: reason) }
        // A process that sends `normal` to itself means it; from others it says nothing.
        if !isLink, from.id == process.id, from.node == ownAtom { end(process, reason: reason) }
    }

    func end(_ process: LocalProcess, reason: Term) {
        guard process.exitReason == nil else { return }
        process.exitReason = reason
        process.mailbox.removeAll()
        for alias in process.aliases { aliases[alias] = nil }
        process.aliases = []
        for (reference, monitor) in process.monitors {
            transmit(
                .demonitor(
                    from: pid(process.id, for: monitor.node), to: monitor.target,
                    reference: reference), to: monitor.node)
        }
        process.monitors = [:]
        for reference in Array(process.calls.keys) {
            endCall(
                reference, of: process, .failure(.refused("the process has ended: \(reason.brief)"))
            )
        }
        let waiters = process.waiters
        process.waiters = []
        for waiter in waiters {
            waiter.timer?.cancel()
            waiter.continuation.resume(returning: .failure(.ended(reason: reason)))
        }
        let id = process.id
        let signals = processes.end(
            pid(of: id), reason: reason, pidForNode: { self.pid(id, for: $0) })
        for signal in signals { transmit(signal.message, to: signal.node) }
    }

    /// The connection to a node has ended: those who watch its processes are told.
    func processesLost(_ node: Atom, _ reason: DisconnectReason) {
        let lostLinks = processes.forgetWatchers(on: node)
        let noconnection = Term.atom("noconnection")
        for process in Array(localProcesses.values) {
            for (reference, call) in process.calls where call.node == node {
                endCall(
                    reference, of: process, .failure(.connectionLost(reason)), isMonitored: false)
            }
            for (reference, monitor) in process.monitors where monitor.node == node {
                down(process, reference, noconnection)
            }
        }
        for (id, linked) in lostLinks {
            if let process = localProcesses[id] {
                exitSignal(process, from: linked, reason: noconnection, isLink: true)
            } else {
                kill(pid(of: id), noconnection)
            }
        }
    }
}

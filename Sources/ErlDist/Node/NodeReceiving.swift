internal import ExternalTermFormat
internal import Transport

// What peers send, and where in the node it goes.

extension Node {
    func receive(_ message: ControlMessage, from peer: PeerConnection) {
        switch message {
        case .send(let from, let to, let message, _):
            receive(message, from: from, to: to, peer)
        case .registeredSend(let from, let to, let message, _):
            receive(message, from: from, to: to, peer)
        case .alternativeSend(let options, let from, let to, let payload, _):
            receiveAlternative(options, from, to, payload, peer)
        case .down(_, let to, let reference, let reason):
            // No process makes the calls of functions: the pid of their caller has the number 0.
            if to.id == 0 {
                peer.calls.receiveDown(reference, reason)
            } else {
                receiveSignal(message, peer)
            }
        case .spawnRequest(let request):
            if let call = incoming.start(request, from: peer) { run(call) }
        case .spawnReply(let reply):
            peer.calls.receive(reply)
        case .aliasSend, .monitor, .demonitor, .link, .unlink, .unlinkID, .unlinkAcknowledgement,
            .exit, .exitRequest:
            receiveSignal(message, peer)
        case .groupLeader, .nodeLink:
            // Processes here keep their own group leader, and NODE_LINK means nothing.
            return
        }
    }

    private func receiveSignal(_ signal: ControlMessage, _ peer: PeerConnection) {
        processes.receive(
            signal, from: peer.name, byteCount: peer.connection.messageByteCount)
    }

    /// Handles ALTACT_SIG_SEND, which comes only to nodes that offer it: OTP 28 and later use it
    /// for urgent signals.
    private func receiveAlternative(
        _ options: AlternativeSendOptions, _ from: PID, _ to: Term, _ payload: Term,
        _ peer: PeerConnection
    ) {
        switch to {
        case .pid(let pid):
            if options.contains(.exit) {
                receiveSignal(
                    .exitRequest(from: from, to: pid, reason: payload, token: nil), peer)
            } else {
                receive(payload, from: from, to: pid, peer)
            }
        case .atom(let name) where !options.contains(.exit):
            receive(payload, from: from, to: name, peer)
        case .reference(let alias) where options.contains(.exit):
            guard let id = processes.process(ofAlias: alias) else { return }
            receiveSignal(
                .exitRequest(from: from, to: peer.pid(id), reason: payload, token: nil), peer)
        case .reference(let alias):
            receiveSignal(.aliasSend(from: from, to: alias, message: payload, token: nil), peer)
        case .atom, .integer, .bigInteger, .float, .binary, .bitstring, .tuple, .list,
            .improperList, .map, .port, .record, .fun, .export:
            return
        }
    }

    private func receive(_ message: Term, from: PID?, to pid: PID, _ peer: PeerConnection) {
        if pid.serial == GroupLeader.serial {
            receiveIORequest(message, leader: pid, peer)
        } else if pid.id == 0 {
            peer.calls.receiveReply(message)
        } else if processes.isCurrent(pid, for: peer.name) {
            receiveSignal(.send(from: from, to: pid, message: message, token: nil), peer)
        }
    }

    private func receive(_ message: Term, from: PID, to name: Atom, _ peer: PeerConnection) {
        if processes.hasProcess(named: name) {
            return receiveSignal(
                .registeredSend(from: from, to: name, message: message, token: nil), peer)
        }
        switch name.name {
        case "net_kernel": receiveForNetKernel(message, peer)
        case "rex": if let call = incoming.start(rex: message, from: peer) { run(call) }
        default: return
        }
    }

    /// Answers `{io_request, From, ReplyAs, Request}` to the group leader of a call of ours.
    private func receiveIORequest(_ message: Term, leader: PID, _ peer: PeerConnection) {
        guard case .tuple(let fields) = message, fields.count == 4,
            fields[0] == .atom("io_request"), case .pid(let from) = fields[1],
            Echo.isShort(fields[2])
        else { return }
        let (reply, byteCount) = leaders.answer(fields[3], leader: leader.id)
        peer.connection.spend(byteCount)
        peer.connection.send(
            .send(
                from: leader, to: from, message: .tuple([.atom("io_reply"), fields[2], reply]),
                token: nil))
    }

    /// Answers `{'$gen_call', {Pid, Tag}, {is_auth, Node}}`, the question of `net_adm:ping/1`.
    private func receiveForNetKernel(_ message: Term, _ peer: PeerConnection) {
        guard let call = ServerCall(message), case .tuple(let fields) = call.request,
            fields.count == 2, fields[0] == .atom("is_auth"), Echo.isShort(call.caller.tag)
        else { return }
        peer.answer(call.caller, .atom("yes"))
    }

    /// Runs an exposed function and answers with its result.
    private func run(_ call: IncomingCall) {
        guard let handler = incoming.begin(call) else { return }
        let (invocation, caller) = (call.invocation, call.caller)
        let task = Task {
            let result: Result<Term, ExposedCallError>
            do {
                result = .success(
                    try await handler(invocation.function, invocation.arguments, caller))
            } catch let error as ExposedCallError {
                result = .failure(error)
            } catch {
                result = .failure(.exception(class: .error, reason: Echo.text("\(error)")))
            }
            await whenRoom(to: call.peer) { incoming.finish(call, result) }
        }
        incoming.setTask(task, of: call)
    }
}

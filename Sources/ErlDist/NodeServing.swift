internal import ExternalTermFormat
internal import Transport

extension Node {
    // MARK: Signals

    func receive(_ message: ControlMessage, _ link: PeerLink) {
        switch message {
        case .send(_, let to, let message, _):
            receive(message, to: to, link)
        case .registeredSend(_, let to, let message, _):
            receive(message, to: to, link)
        case .alternativeSend(let options, let from, let to, let payload, _):
            receiveAlternative(options, from, to, payload, link)
        case .monitor(let from, let to, let reference):
            if let answer = processes.monitor(from: from, to: to, reference: reference) {
                link.connection.send(answer)
            }
        case .demonitor(_, let to, let reference):
            processes.demonitor(to, reference: reference)
        case .link(let from, let to):
            if let answer = processes.link(from: from, to: to) { link.connection.send(answer) }
        case .unlink(let from, let to):
            processes.unlink(from: from, to: to)
        case .unlinkID(let id, let from, let to):
            processes.unlink(from: from, to: to)
            link.connection.send(.unlinkAcknowledgement(id: id, from: to, to: from))
        case .exit(let from, let to, let reason, _):
            processes.unlink(from: from, to: to)
            kill(to, reason)
        case .exitRequest(_, let to, let reason, _):
            kill(to, reason == .atom("kill") ? .atom("killed") : reason)
        case .down(_, _, let reference, let reason):
            receiveDown(reference, reason, link)
        case .spawnRequest(let request):
            receive(request, link)
        case .spawnReply(let reply):
            receive(reply, link)
        case .aliasSend, .unlinkAcknowledgement, .groupLeader, .nodeLink:
            // We give out no aliases, link to nobody, and our processes' group leader is their own.
            return
        }
    }

    private func receiveAlternative(
        _ options: AlternativeSendOptions, _ from: PID, _ to: Term, _ payload: Term,
        _ link: PeerLink
    ) {
        switch to {
        case .pid(let pid):
            if options.contains(.exit) {
                kill(pid, payload == .atom("kill") ? .atom("killed") : payload)
            } else {
                receive(payload, to: pid, link)
            }
        case .atom(let name) where !options.contains(.exit):
            receive(payload, to: name, link)
        case .atom, .integer, .bigInteger, .float, .binary, .bitstring, .tuple, .list,
            .improperList, .map, .port, .reference, .fun, .export:
            return
        }
    }

    private func receive(_ message: Term, to pid: PID, _ link: PeerLink) {
        if pid.serial == ProcessTable.leaderSerial {
            return receiveIORequest(message, leader: pid, link)
        }
        receiveReply(message, link)
    }

    private func receive(_ message: Term, to name: Atom, _ link: PeerLink) {
        switch name.name {
        case "net_kernel": receiveForNetKernel(message, link)
        case "rex": receiveForRex(message, link)
        default: return
        }
    }

    // MARK: Group leaders

    private func receiveIORequest(_ message: Term, leader: PID, _ link: PeerLink) {
        guard case .tuple(let fields) = message, fields.count == 4,
            fields[0] == .atom("io_request"), case .pid(let from) = fields[1]
        else { return }
        var sink = GroupLeader(maximumByteCount: 0) { _ in }
        let reply = leaders[leader.id]?.answer(fields[3]) ?? sink.answer(fields[3])
        link.connection.send(
            .send(
                from: leader, to: from, message: .tuple([.atom("io_reply"), fields[2], reply]),
                token: nil))
    }

    // MARK: Registered names

    /// `{'$gen_call', {Pid, Tag}, {is_auth, Node}}`, by which `net_adm:ping/1` asks.
    private func receiveForNetKernel(_ message: Term, _ link: PeerLink) {
        guard let (caller, request) = Self.genCall(message),
            case .tuple(let fields) = request, fields.count == 2, fields[0] == .atom("is_auth")
        else { return }
        answer(caller, .atom("yes"), link)
    }

    /// `{'$gen_call', From, {call, M, F, A, GroupLeader}}`, or `{Pid, {call, …}}` of the oldest clients.
    private func receiveForRex(_ message: Term, _ link: PeerLink) {
        if let (caller, request) = Self.genCall(message) {
            guard let call = RexCall(request) else { return }
            run(call.module, call.function, call.arguments, caller.pid, link, .reply(caller, call))
        } else if case .tuple(let fields) = message, fields.count == 2,
            case .pid(let from) = fields[0], let call = RexCall(fields[1])
        {
            run(call.module, call.function, call.arguments, from, link, .message(from, call))
        }
    }

    private static func genCall(_ message: Term) -> (caller: GenCaller, request: Term)? {
        guard case .tuple(let fields) = message, fields.count == 3,
            fields[0] == .atom("$gen_call"), case .tuple(let from) = fields[1], from.count == 2,
            case .pid(let pid) = from[0]
        else { return nil }
        return (GenCaller(pid: pid, tag: from[1]), fields[2])
    }

    func answer(_ caller: GenCaller, _ reply: Term, _ link: PeerLink) {
        let message = Term.tuple([caller.tag, reply])
        let from = pid(0, link)
        if let alias = caller.alias, link.peer.flags.contains(.alias) {
            link.connection.send(.aliasSend(from: from, to: alias, message: message, token: nil))
        } else {
            link.connection.send(.send(from: from, to: caller.pid, message: message, token: nil))
        }
    }
}

internal import ExternalTermFormat
internal import Transport

extension Node {
    // MARK: Signals

    func receive(_ message: ControlMessage, _ link: PeerLink) {
        switch message {
        case .send(let from, let to, let message, _):
            receive(message, from: from, to: to, link)
        case .registeredSend(let from, let to, let message, _):
            receive(message, from: from, to: to, link)
        case .alternativeSend(let options, let from, let to, let payload, _):
            receiveAlternative(options, from, to, payload, link)
        case .down(_, let to, let reference, let reason):
            // Calls of functions are made by no process of their own.
            if to.id == 0 {
                receiveDown(reference, reason, link)
            } else {
                receiveSignal(message, from: link.peer.name.atom)
            }
        case .spawnRequest(let request):
            receive(request, link)
        case .spawnReply(let reply):
            receive(reply, link)
        case .aliasSend, .monitor, .demonitor, .link, .unlink, .unlinkID, .unlinkAcknowledgement,
            .exit, .exitRequest:
            receiveSignal(message, from: link.peer.name.atom)
        case .groupLeader, .nodeLink:
            // Our processes' group leader is their own.
            return
        }
    }

    /// ALTACT_SIG_SEND, which comes only to nodes that offer it: OTP 28 and later send so what is urgent.
    private func receiveAlternative(
        _ options: AlternativeSendOptions, _ from: PID, _ to: Term, _ payload: Term,
        _ link: PeerLink
    ) {
        switch to {
        case .pid(let pid):
            if options.contains(.exit) {
                receiveSignal(
                    .exitRequest(from: from, to: pid, reason: payload, token: nil),
                    from: link.peer.name.atom)
            } else {
                receive(payload, from: from, to: pid, link)
            }
        case .atom(let name) where !options.contains(.exit):
            receive(payload, from: from, to: name, link)
        case .reference(let alias) where options.contains(.exit):
            guard let id = aliases[alias] else { return }
            receiveSignal(
                .exitRequest(from: from, to: pid(id, link), reason: payload, token: nil),
                from: link.peer.name.atom)
        case .reference(let alias):
            receiveSignal(
                .aliasSend(from: from, to: alias, message: payload, token: nil),
                from: link.peer.name.atom)
        case .atom, .integer, .bigInteger, .float, .binary, .bitstring, .tuple, .list,
            .improperList, .map, .port, .record, .fun, .export:
            return
        }
    }

    private func receive(_ message: Term, from: PID?, to pid: PID, _ link: PeerLink) {
        if pid.serial == ProcessTable.leaderSerial {
            return receiveIORequest(message, leader: pid, link)
        }
        if pid.id == 0 { return receiveReply(message, link) }
        guard isCurrent(pid, for: link.peer.name.atom) else { return }
        receiveSignal(
            .send(from: from, to: pid, message: message, token: nil), from: link.peer.name.atom)
    }

    private func receive(_ message: Term, from: PID, to name: Atom, _ link: PeerLink) {
        if processes.process(named: name) != nil {
            return receiveSignal(
                .registeredSend(from: from, to: name, message: message, token: nil),
                from: link.peer.name.atom)
        }
        switch name.name {
        case "net_kernel": receiveForNetKernel(message, link)
        case "rex": receiveForRex(message, link)
        default: return
        }
    }

    // MARK: Group leaders

    private func receiveIORequest(_ message: Term, leader: PID, _ link: PeerLink) {
        guard case .tuple(let fields) = message, fields.count == 4,
            fields[0] == .atom("io_request"), case .pid(let from) = fields[1],
            Echo.isShort(fields[2])
        else { return }
        var sink = GroupLeader(maximumByteCount: 0) { _ in }
        let before = leaders[leader.id]?.madeByteCount ?? 0
        let reply = leaders[leader.id]?.answer(fields[3]) ?? sink.answer(fields[3])
        link.connection.spend((leaders[leader.id] ?? sink).madeByteCount - before)
        link.connection.send(
            .send(
                from: leader, to: from, message: .tuple([.atom("io_reply"), fields[2], reply]),
                token: nil))
    }

    // MARK: Registered names

    /// `{'$gen_call', {Pid, Tag}, {is_auth, Node}}`, by which `net_adm:ping/1` asks.
    private func receiveForNetKernel(_ message: Term, _ link: PeerLink) {
        guard let call = ServerCall(message), case .tuple(let fields) = call.request,
            fields.count == 2, fields[0] == .atom("is_auth"), Echo.isShort(call.caller.tag)
        else { return }
        answer(call.caller, .atom("yes"), link)
    }

    /// `{'$gen_call', From, {call, M, F, A, GroupLeader}}`, or `{Pid, {call, …}}` of the oldest clients.
    private func receiveForRex(_ message: Term, _ link: PeerLink) {
        if let request = ServerCall(message) {
            guard Echo.isShort(request.caller.tag), let call = RexCall(request.request) else {
                return
            }
            run(
                call.module, call.function, call.arguments, request.pid, link,
                .reply(request.caller, call))
        } else if case .tuple(let fields) = message, fields.count == 2,
            case .pid(let from) = fields[0], let call = RexCall(fields[1])
        {
            run(call.module, call.function, call.arguments, from, link, .message(from, call))
        }
    }

    /// - Parameter id: the process that answers; 0 for the node itself.
    func answer(_ caller: GenCaller, _ reply: Term, _ link: PeerLink, from id: UInt32 = 0) {
        let message = Term.tuple([caller.tag, reply])
        let from = pid(id, link)
        if let alias = caller.alias, link.peer.flags.contains(.alias) {
            link.connection.send(.aliasSend(from: from, to: alias, message: message, token: nil))
        } else {
            link.connection.send(.send(from: from, to: caller.pid, message: message, token: nil))
        }
    }
}

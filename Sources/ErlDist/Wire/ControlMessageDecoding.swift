internal import ExternalTermFormat

extension ControlMessage {
    /// The operation that the control term and its payload describe.
    ///
    /// It reads all forms, whatever both sides agreed on: a message that was queued before the
    /// connection was up may have an older form.
    init(_ control: Term, payload: Term?) throws(ProtocolViolation) {
        guard case .tuple(let fields) = control, case .integer(let code)? = fields.first else {
            throw .invalidControlMessage(control)
        }
        guard let operation = ControlOperation(rawValue: code) else {
            throw .unknownOperation(code)
        }
        guard let message = Self.read(operation, Fields(terms: fields), payload) else {
            throw .invalidControlMessage(control)
        }
        self = message
    }

    /// The fields after the operation's number. A field that is missing or has another type is
    /// `nil`.
    private struct Fields {
        let terms: [Term]

        func term(_ index: Int) -> Term? { index < terms.count ? terms[index] : nil }
        func pid(_ index: Int) -> PID? { term(index)?.asPID }
        func atom(_ index: Int) -> Atom? { term(index)?.asAtom }
        func reference(_ index: Int) -> Reference? { term(index)?.asReference }
        func uint64(_ index: Int) -> UInt64? { term(index)?.asUInt64 }
        func process(_ index: Int) -> ProcessIdentifier? {
            term(index).flatMap(ProcessIdentifier.init)
        }
    }

    private static func read(
        _ operation: ControlOperation, _ fields: Fields, _ payload: Term?
    ) -> ControlMessage? {
        switch operation {
        case .send, .sendTraced:
            guard let payload, let to = fields.pid(2) else { return nil }
            return .send(
                from: nil, to: to, message: payload,
                token: operation == .sendTraced ? fields.term(3) : nil)
        case .sendSender, .sendSenderTraced:
            guard let payload, let from = fields.pid(1), let to = fields.pid(2) else { return nil }
            return .send(
                from: from, to: to, message: payload,
                token: operation == .sendSenderTraced ? fields.term(3) : nil)
        case .registeredSend, .registeredSendTraced:
            guard let payload, let from = fields.pid(1), let to = fields.atom(3) else { return nil }
            return .registeredSend(
                from: from, to: to, message: payload,
                token: operation == .registeredSendTraced ? fields.term(4) : nil)
        case .aliasSend, .aliasSendTraced:
            guard let payload, let from = fields.pid(1), let to = fields.reference(2)
            else { return nil }
            return .aliasSend(
                from: from, to: to, message: payload,
                token: operation == .aliasSendTraced ? fields.term(3) : nil)
        case .alternativeSend:
            guard let payload, let bits = fields.uint64(1), let from = fields.pid(2),
                let to = fields.term(3)
            else { return nil }
            let options = AlternativeSendOptions(rawValue: bits)
            return .alternativeSend(
                options: options, from: from, to: to, payload: payload,
                token: options.contains(.token) ? fields.term(4) : nil)
        case .exit: return readExit(fields, fields.term(3))
        case .exitTraced: return readExit(fields, fields.term(4), token: fields.term(3))
        case .payloadExit: return readExit(fields, payload)
        case .payloadExitTraced: return readExit(fields, payload, token: fields.term(3))
        case .exitRequest: return readExit(fields, fields.term(3), isRequest: true)
        case .exitRequestTraced:
            return readExit(fields, fields.term(4), token: fields.term(3), isRequest: true)
        case .payloadExitRequest: return readExit(fields, payload, isRequest: true)
        case .payloadExitRequestTraced:
            return readExit(fields, payload, token: fields.term(3), isRequest: true)
        case .link:
            guard let from = fields.pid(1), let to = fields.pid(2) else { return nil }
            return .link(from: from, to: to)
        case .unlink:
            guard let from = fields.pid(1), let to = fields.pid(2) else { return nil }
            return .unlink(from: from, to: to)
        case .unlinkID, .unlinkAcknowledgement:
            guard let id = fields.uint64(1), let from = fields.pid(2), let to = fields.pid(3)
            else { return nil }
            return operation == .unlinkID
                ? .unlinkID(id: id, from: from, to: to)
                : .unlinkAcknowledgement(id: id, from: from, to: to)
        case .nodeLink:
            return .nodeLink
        case .groupLeader:
            guard let from = fields.pid(1), let to = fields.pid(2) else { return nil }
            return .groupLeader(from: from, to: to)
        case .monitor, .demonitor:
            guard let from = fields.pid(1), let to = fields.process(2),
                let reference = fields.reference(3)
            else { return nil }
            return operation == .monitor
                ? .monitor(from: from, to: to, reference: reference)
                : .demonitor(from: from, to: to, reference: reference)
        case .down, .payloadDown:
            guard let from = fields.process(1), let to = fields.pid(2),
                let reference = fields.reference(3),
                let reason = operation == .down ? fields.term(4) : payload
            else { return nil }
            return .down(from: from, to: to, reference: reference, reason: reason)
        case .spawnRequest, .spawnRequestTraced:
            return readSpawnRequest(fields, payload, isTraced: operation == .spawnRequestTraced)
        case .spawnReply, .spawnReplyTraced:
            return readSpawnReply(fields, isTraced: operation == .spawnReplyTraced)
        }
    }

    private static func readExit(
        _ fields: Fields, _ reason: Term?, token: Term? = nil, isRequest: Bool = false
    ) -> ControlMessage? {
        guard let from = fields.pid(1), let to = fields.pid(2), let reason else { return nil }
        return isRequest
            ? .exitRequest(from: from, to: to, reason: reason, token: token)
            : .exit(from: from, to: to, reason: reason, token: token)
    }

    private static func readSpawnRequest(
        _ fields: Fields, _ payload: Term?, isTraced: Bool
    ) -> ControlMessage? {
        guard let id = fields.reference(1), let from = fields.pid(2), let leader = fields.pid(3),
            case .tuple(let target)? = fields.term(4), target.count == 3,
            let module = target[0].asAtom, let function = target[1].asAtom,
            let arity = target[2].asInteger, let options = fields.term(5)?.asList,
            let arguments = payload?.asList, arguments.count == arity
        else { return nil }
        return .spawnRequest(
            SpawnRequest(
                id: id, from: from, groupLeader: leader, module: module, function: function,
                arguments: arguments, options: options, token: isTraced ? fields.term(6) : nil))
    }

    private static func readSpawnReply(_ fields: Fields, isTraced: Bool) -> ControlMessage? {
        guard let id = fields.reference(1), let to = fields.pid(2), let flags = fields.uint64(3)
        else { return nil }
        let result: SpawnReply.Result
        if let pid = fields.pid(4) {
            result = .started(pid)
        } else if let reason = fields.atom(4) {
            result = .failed(reason)
        } else {
            return nil
        }
        return .spawnReply(
            SpawnReply(
                id: id, to: to, isLinked: flags & 1 != 0, isMonitored: flags & 2 != 0,
                result: result, token: isTraced ? fields.term(5) : nil))
    }
}

internal import ExternalTermFormat

extension ControlMessage {
    /// The operation that the control term and its payload describe.
    ///
    /// It reads all forms, whatever was agreed on: messages that were queued before the connection
    /// was up may have an older one.
    init(_ control: Term, payload: Term?) throws(ProtocolViolation) {
        guard case .tuple(let fields) = control, case .integer(let code)? = fields.first else {
            throw .invalidControlMessage(control)
        }
        guard let operation = ControlOperation(rawValue: code) else {
            throw .unknownOperation(code)
        }
        guard let message = Self.read(operation, Fields(fields), payload) else {
            throw .invalidControlMessage(control)
        }
        self = message
    }

    /// The fields after the operation's number; what is not there or of another type is `nil`.
    private struct Fields {
        private let terms: [Term]

        init(_ terms: [Term]) {
            self.terms = terms
        }

        var count: Int { terms.count }
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
        case .send, .sendTraced, .sendSender, .sendSenderTraced, .registeredSend,
            .registeredSendTraced, .aliasSend, .aliasSendTraced, .alternativeSend:
            guard let payload else { return nil }
            return readSend(operation, fields, payload)
        case .exit, .exitTraced, .payloadExit, .payloadExitTraced, .exitRequest, .exitRequestTraced,
            .payloadExitRequest, .payloadExitRequestTraced:
            return readExit(operation, fields, payload)
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

    private static func readSend(
        _ operation: ControlOperation, _ fields: Fields, _ message: Term
    ) -> ControlMessage? {
        switch operation {
        case .send, .sendTraced:
            guard let to = fields.pid(2) else { return nil }
            return .send(
                from: nil, to: to, message: message,
                token: operation == .sendTraced ? fields.term(3) : nil)
        case .sendSender, .sendSenderTraced:
            guard let from = fields.pid(1), let to = fields.pid(2) else { return nil }
            return .send(
                from: from, to: to, message: message,
                token: operation == .sendSenderTraced ? fields.term(3) : nil)
        case .registeredSend, .registeredSendTraced:
            guard let from = fields.pid(1), let to = fields.atom(3) else { return nil }
            return .registeredSend(
                from: from, to: to, message: message,
                token: operation == .registeredSendTraced ? fields.term(4) : nil)
        case .aliasSend, .aliasSendTraced:
            guard let from = fields.pid(1), let to = fields.reference(2) else { return nil }
            return .aliasSend(
                from: from, to: to, message: message,
                token: operation == .aliasSendTraced ? fields.term(3) : nil)
        case .alternativeSend:
            guard let bits = fields.uint64(1), let from = fields.pid(2), let to = fields.term(3)
            else { return nil }
            let options = AlternativeSendOptions(rawValue: bits)
            // The tuple may grow: only what is known is looked at.
            return .alternativeSend(
                options: options, from: from, to: to, payload: message,
                token: options.contains(.token) ? fields.term(4) : nil)
        case .exit, .exitTraced, .payloadExit, .payloadExitTraced, .exitRequest, .exitRequestTraced,
            .payloadExitRequest, .payloadExitRequestTraced, .link, .unlink, .unlinkID,
            .unlinkAcknowledgement, .nodeLink, .groupLeader, .monitor, .demonitor, .down,
            .payloadDown, .spawnRequest, .spawnRequestTraced, .spawnReply, .spawnReplyTraced:
            preconditionFailure("Not an operation that sends")
        }
    }

    private static func readExit(
        _ operation: ControlOperation, _ fields: Fields, _ payload: Term?
    ) -> ControlMessage? {
        let isTraced: Bool
        let isRequest: Bool
        let hasPayload: Bool
        switch operation {
        case .exit: (isTraced, isRequest, hasPayload) = (false, false, false)
        case .exitTraced: (isTraced, isRequest, hasPayload) = (true, false, false)
        case .payloadExit: (isTraced, isRequest, hasPayload) = (false, false, true)
        case .payloadExitTraced: (isTraced, isRequest, hasPayload) = (true, false, true)
        case .exitRequest: (isTraced, isRequest, hasPayload) = (false, true, false)
        case .exitRequestTraced: (isTraced, isRequest, hasPayload) = (true, true, false)
        case .payloadExitRequest: (isTraced, isRequest, hasPayload) = (false, true, true)
        case .payloadExitRequestTraced: (isTraced, isRequest, hasPayload) = (true, true, true)
        case .send, .sendTraced, .sendSender, .sendSenderTraced, .registeredSend,
            .registeredSendTraced, .aliasSend, .aliasSendTraced, .alternativeSend, .link, .unlink,
            .unlinkID, .unlinkAcknowledgement, .nodeLink, .groupLeader, .monitor, .demonitor, .down,
            .payloadDown, .spawnRequest, .spawnRequestTraced, .spawnReply, .spawnReplyTraced:
            preconditionFailure("Not an exit signal")
        }
        let token = isTraced ? fields.term(3) : nil
        guard let from = fields.pid(1), let to = fields.pid(2),
            let reason = hasPayload ? payload : fields.term(isTraced ? 4 : 3)
        else { return nil }
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

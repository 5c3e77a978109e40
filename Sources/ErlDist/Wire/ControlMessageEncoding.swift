internal import ExternalTermFormat

extension ControlMessage {
    /// The control term and the payload, in the forms that `flags` allow: the flags that both sides
    /// have.
    func terms(_ flags: DistributionFlags) -> (control: Term, payload: Term?) {
        switch self {
        case .send(let from, let to, let message, let token):
            if let from, flags.contains(.sendSender) {
                let operation: ControlOperation = token == nil ? .sendSender : .sendSenderTraced
                return (Self.tuple([operation.term, .pid(from), .pid(to)], token), message)
            }
            // The unused field was a cookie once. OTP writes the empty atom there.
            let operation: ControlOperation = token == nil ? .send : .sendTraced
            return (Self.tuple([operation.term, Self.unused, .pid(to)], token), message)
        case .registeredSend(let from, let to, let message, let token):
            let operation: ControlOperation = token == nil ? .registeredSend : .registeredSendTraced
            return (
                Self.tuple([operation.term, .pid(from), Self.unused, .atom(to)], token), message
            )
        case .aliasSend(let from, let to, let message, let token):
            let operation: ControlOperation = token == nil ? .aliasSend : .aliasSendTraced
            return (Self.tuple([operation.term, .pid(from), .reference(to)], token), message)
        case .alternativeSend(let options, let from, let to, let payload, let token):
            return (
                Self.tuple(
                    [
                        ControlOperation.alternativeSend.term, Term(options.rawValue), .pid(from),
                        to,
                    ], token),
                payload
            )
        case .link(let from, let to):
            return (Self.tuple([ControlOperation.link.term, .pid(from), .pid(to)]), nil)
        case .unlink(let from, let to):
            return (Self.tuple([ControlOperation.unlink.term, .pid(from), .pid(to)]), nil)
        case .unlinkID(let id, let from, let to):
            return (
                Self.tuple([ControlOperation.unlinkID.term, Term(id), .pid(from), .pid(to)]), nil
            )
        case .unlinkAcknowledgement(let id, let from, let to):
            return (
                Self.tuple([
                    ControlOperation.unlinkAcknowledgement.term, Term(id), .pid(from), .pid(to),
                ]), nil
            )
        case .exit(let from, let to, let reason, let token):
            return Self.exit(
                from, to, reason, token, flags, .exit, .exitTraced, .payloadExit,
                .payloadExitTraced)
        case .exitRequest(let from, let to, let reason, let token):
            return Self.exit(
                from, to, reason, token, flags, .exitRequest, .exitRequestTraced,
                .payloadExitRequest, .payloadExitRequestTraced)
        case .groupLeader(let from, let to):
            return (Self.tuple([ControlOperation.groupLeader.term, .pid(from), .pid(to)]), nil)
        case .monitor(let from, let to, let reference):
            return (
                Self.tuple([
                    ControlOperation.monitor.term, .pid(from), to.term, .reference(reference),
                ]), nil
            )
        case .demonitor(let from, let to, let reference):
            return (
                Self.tuple([
                    ControlOperation.demonitor.term, .pid(from), to.term, .reference(reference),
                ]), nil
            )
        case .down(let from, let to, let reference, let reason):
            guard flags.contains(.exitPayload) else {
                return (
                    Self.tuple([
                        ControlOperation.down.term, from.term, .pid(to), .reference(reference),
                        reason,
                    ]), nil
                )
            }
            return (
                Self.tuple([
                    ControlOperation.payloadDown.term, from.term, .pid(to), .reference(reference),
                ]), reason
            )
        case .spawnRequest(let request):
            let operation: ControlOperation =
                request.token == nil ? .spawnRequest : .spawnRequestTraced
            let target: Term = .tuple([
                .atom(request.module), .atom(request.function), .integer(request.arguments.count),
            ])
            return (
                Self.tuple(
                    [
                        operation.term, .reference(request.id), .pid(request.from),
                        .pid(request.groupLeader),
                        target, .list(request.options),
                    ], request.token),
                .list(request.arguments)
            )
        case .spawnReply(let reply):
            let operation: ControlOperation = reply.token == nil ? .spawnReply : .spawnReplyTraced
            let result: Term =
                switch reply.result {
                case .started(let pid): .pid(pid)
                case .failed(let reason): .atom(reason)
                }
            let bits = (reply.isLinked ? 1 : 0) | (reply.isMonitored ? 2 : 0)
            return (
                Self.tuple(
                    [operation.term, .reference(reply.id), .pid(reply.to), .integer(bits), result],
                    reply.token),
                nil
            )
        case .nodeLink:
            return (Self.tuple([ControlOperation.nodeLink.term]), nil)
        }
    }

    private static let unused = Term.atom(Atom(""))

    private static func tuple(_ fields: [Term], _ token: Term? = nil) -> Term {
        guard let token else { return .tuple(fields) }
        return .tuple(fields + [token])
    }

    private static func exit(
        _ from: PID, _ to: PID, _ reason: Term, _ token: Term?, _ flags: DistributionFlags,
        _ plain: ControlOperation, _ traced: ControlOperation, _ payload: ControlOperation,
        _ payloadTraced: ControlOperation
    ) -> (control: Term, payload: Term?) {
        guard flags.contains(.exitPayload) else {
            // Here the token stands before the reason.
            let fields: [Term] = [(token == nil ? plain : traced).term, .pid(from), .pid(to)]
            return (.tuple(fields + (token.map { [$0] } ?? []) + [reason]), nil)
        }
        return (
            tuple(
                [(token == nil ? payload : payloadTraced).term, .pid(from), .pid(to)], token),
            reason
        )
    }
}

extension ControlOperation {
    fileprivate var term: Term { .integer(rawValue) }
}

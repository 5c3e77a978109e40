internal import ExternalTermFormat

/// Reads the answers to calls.
enum CallReply {
    /// The result of a call, from the exit reason of the process that ran `erpc:execute_call/4`.
    ///
    /// The reason is `{Res, return, V}`, `{Res, throw, T}`, `{Res, exit, R}`,
    /// `{Res, error, E, Stack}`, or `{Res, error, {erpc, E}}`. Any other reason means that the
    /// process itself has died. Source: `erpc:execute_call/4` and `erpc:call_result/4`.
    static func result(ofExit reason: Term, id: Reference) -> Result<Term, CallError> {
        guard case .tuple(let fields) = reason, fields.count >= 3,
            fields[0] == .reference(id), case .atom(let kind) = fields[1]
        else { return .failure(.exception(class: .exit, reason: reason, stack: [])) }
        switch (kind.name, fields.count) {
        case ("return", 3):
            return .success(fields[2])
        case ("throw", 3):
            return .failure(.exception(class: .throw, reason: fields[2], stack: []))
        case ("exit", 3):
            return .failure(.exception(class: .exit, reason: fields[2], stack: []))
        case ("error", 4):
            return .failure(.exception(class: .error, reason: fields[2], stack: fields[3]))
        case ("error", 3):
            if case .tuple(let inner) = fields[2], inner.count == 2,
                inner[0] == .atom("erpc")
            {
                return .failure(.badRPC(inner[1]))
            }
            return .failure(.exception(class: .error, reason: fields[2], stack: []))
        case (_, _):
            return .failure(.exception(class: .exit, reason: reason, stack: []))
        }
    }

    /// The result of a call, from the answer of `rex`: the value, or `{badrpc, Reason}`. Source:
    /// `rpc:handle_call/3`.
    static func result(ofRex reply: Term) -> Result<Term, CallError> {
        guard case .tuple(let fields) = reply, fields.count == 2,
            fields[0] == .atom("badrpc")
        else { return .success(reply) }
        if case .tuple(let exit) = fields[1], exit.count == 2, exit[0] == .atom("EXIT") {
            if case .tuple(let error) = exit[1], error.count == 2, case .list = error[1] {
                return .failure(.exception(class: .error, reason: error[0], stack: error[1]))
            }
            return .failure(.exception(class: .exit, reason: exit[1], stack: []))
        }
        return .failure(.badRPC(fields[1]))
    }
}

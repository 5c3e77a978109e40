internal import ExternalTermFormat

// What the answers to a call mean. They are pure functions of the terms.

/// The ways a function can have ended, as they travel between nodes.
enum CallReply {
    /// The reason with which a process running `erpc:execute_call/4` ends.
    ///
    /// `{Res, return, V}`, `{Res, throw, T}`, `{Res, exit, R}`, `{Res, error, E, Stack}`, or
    /// `{Res, error, {erpc, E}}`; anything else is the death of the process itself.
    /// Source: `erpc:execute_call/4` and `erpc:call_result/4`.
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

    /// What `rex` answers: the value, or `{badrpc, Reason}`.
    /// Source: `rpc:handle_call/3`.
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

    /// The reason with which a process that ran `erpc:execute_call/4` here ends.
    static func exitReason(
        _ result: Result<Term, ExposedCallError>, resultID: Term, module: Atom, function: Atom,
        arguments: [Term]
    ) -> Term {
        switch result {
        case .success(let value):
            return .tuple([resultID, .atom("return"), value])
        case .failure(.undefined):
            return .tuple([
                resultID, .atom(.error), .atom("undef"),
                undefinedStack(module, function, arguments),
            ])
        case .failure(.exception(.throw, let reason)):
            return .tuple([resultID, .atom("throw"), reason])
        case .failure(.exception(.exit, let reason)):
            return .tuple([resultID, .atom("exit"), reason])
        case .failure(.exception(.error, let reason)):
            return .tuple([
                resultID, .atom(.error), reason, stack(module, function, arguments.count),
            ])
        }
    }

    /// What `rex` here answers. Source: `rpc:execute_call/4`, OTP 25.
    static func rexReply(
        _ result: Result<Term, ExposedCallError>, module: Atom, function: Atom, arguments: [Term]
    ) -> Term {
        func failed(_ reason: Term) -> Term {
            .tuple([.atom("badrpc"), .tuple([.atom("EXIT"), reason])])
        }
        switch result {
        case .success(let value): return value
        case .failure(.undefined):
            return failed(
                .tuple([.atom("undef"), undefinedStack(module, function, arguments)]))
        case .failure(.exception(.throw, let reason)): return reason
        case .failure(.exception(.exit, let reason)): return failed(reason)
        case .failure(.exception(.error, let reason)):
            return failed(.tuple([reason, stack(module, function, arguments.count)]))
        }
    }

    /// The reason with which a process ends that ran the function itself.
    static func processExit(
        _ error: ExposedCallError, module: Atom, function: Atom, arguments: [Term]
    ) -> Term {
        switch error {
        case .undefined:
            return .tuple([.atom("undef"), undefinedStack(module, function, arguments)])
        case .exception(.throw, let reason):
            return .tuple([
                .tuple([.atom("nocatch"), reason]), stack(module, function, arguments.count),
            ])
        case .exception(.exit, let reason): return reason
        case .exception(.error, let reason):
            return .tuple([reason, stack(module, function, arguments.count)])
        }
    }

    /// For `undef` the stack's first entry carries the arguments themselves, unless they are long.
    private static func undefinedStack(
        _ module: Atom, _ function: Atom, _ arguments: [Term]
    ) -> Term {
        guard Echo.isShort(.list(arguments)) else {
            return stack(module, function, arguments.count)
        }
        return [.tuple([.atom(module), .atom(function), .list(arguments), []])]
    }

    private static func stack(_ module: Atom, _ function: Atom, _ arity: Int) -> Term {
        [.tuple([.atom(module), .atom(function), .integer(arity), []])]
    }
}

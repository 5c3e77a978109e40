internal import ExternalTermFormat

/// How callers are told what came of a call that ran here.
enum ExposedCallReply {
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

internal import ExternalTermFormat

/// Writes the answers to calls that ran here.
enum ExposedCallReply {
    /// The exit reason of a process that ran `erpc:execute_call/4` here.
    static func exitReason(
        _ result: Result<Term, ExposedCallError>, resultID: Term, _ invocation: Invocation
    ) -> Term {
        switch result {
        case .success(let value):
            return .tuple([resultID, .atom("return"), value])
        case .failure(.undefined):
            return .tuple([resultID, .atom(.error), .atom("undef"), undefinedStack(invocation)])
        case .failure(.exception(.throw, let reason)):
            return .tuple([resultID, .atom("throw"), reason])
        case .failure(.exception(.exit, let reason)):
            return .tuple([resultID, .atom("exit"), reason])
        case .failure(.exception(.error, let reason)):
            return .tuple([resultID, .atom(.error), reason, stack(invocation)])
        }
    }

    /// The answer of `rex` here. Source: `rpc:execute_call/4`, OTP 25.
    static func rexReply(_ result: Result<Term, ExposedCallError>, _ invocation: Invocation) -> Term
    {
        func failed(_ reason: Term) -> Term {
            .tuple([.atom("badrpc"), .tuple([.atom("EXIT"), reason])])
        }
        switch result {
        case .success(let value): return value
        case .failure(.undefined):
            return failed(.tuple([.atom("undef"), undefinedStack(invocation)]))
        case .failure(.exception(.throw, let reason)): return reason
        case .failure(.exception(.exit, let reason)): return failed(reason)
        case .failure(.exception(.error, let reason)):
            return failed(.tuple([reason, stack(invocation)]))
        }
    }

    /// The exit reason of a process that ran the function itself, without `erpc`.
    static func processExit(_ error: ExposedCallError, _ invocation: Invocation) -> Term {
        switch error {
        case .undefined:
            return .tuple([.atom("undef"), undefinedStack(invocation)])
        case .exception(.throw, let reason):
            return .tuple([.tuple([.atom("nocatch"), reason]), stack(invocation)])
        case .exception(.exit, let reason): return reason
        case .exception(.error, let reason):
            return .tuple([reason, stack(invocation)])
        }
    }

    /// For `undef` the stack's first entry contains the arguments themselves, unless they are long.
    private static func undefinedStack(_ invocation: Invocation) -> Term {
        let arguments = Term.list(invocation.arguments)
        return Echo.isShort(arguments) ? stack(invocation, arguments) : stack(invocation)
    }

    private static func stack(_ invocation: Invocation, _ arguments: Term? = nil) -> Term {
        let last = arguments ?? .integer(invocation.arguments.count)
        return [.tuple([.atom(invocation.module), .atom(invocation.function), last, []])]
    }
}

internal import ExternalTermFormat

/// A call from another node that runs here, as a process of its own.
struct IncomingCall {
    /// Who is told the result, and how.
    enum Answer {
        /// As the reason with which the process ends.
        case exit(SpawnTarget)
        /// As the reply to a `gen_server` call of `rex`.
        case reply(GenCaller, RexCall)
        /// As a message `{rex, Result}`.
        case message(PID, RexCall)
    }

    var task: Task<Void, Never>?
    let pid: PID
    let caller: Caller
    /// The size of the call as it came.
    let byteCount: Int
    let answer: Answer

    /// The node that the call came from.
    var peer: Atom { caller.node.atom }

    var invocation: Invocation {
        switch answer {
        case .exit(let target): target.invocation
        case .reply(_, let call), .message(_, let call): call.invocation
        }
    }
}

/// The function that a call names.
struct Invocation {
    let module: Atom
    let function: Atom
    let arguments: [Term]
}

extension Invocation {
    /// Module, function and arguments as terms.
    init?(_ terms: ArraySlice<Term>) {
        let first = terms.startIndex
        guard let module = terms[first].asAtom, let function = terms[first + 1].asAtom,
            let arguments = terms[first + 2].asList
        else { return nil }
        self.init(module: module, function: function, arguments: arguments)
    }
}

/// What a spawned process runs, and how its end reports the result.
struct SpawnTarget {
    private enum Form {
        case call(resultID: Term)
        case cast
        case plain
    }

    private let form: Form
    let invocation: Invocation

    init(_ request: SpawnRequest) {
        let arguments = request.arguments
        switch (request.module.name, request.function.name, arguments.count) {
        case ("erpc", "execute_call", 4):
            if Echo.isShort(arguments[0]), let invocation = Invocation(arguments[1...]) {
                form = .call(resultID: arguments[0])
                self.invocation = invocation
                return
            }
        case ("erpc", "execute_cast", 3):
            if let invocation = Invocation(arguments[...]) {
                form = .cast
                self.invocation = invocation
                return
            }
        case (_, _, _): break
        }
        form = .plain
        invocation = Invocation(
            module: request.module, function: request.function, arguments: arguments)
    }

    func exitReason(_ result: Result<Term, ExposedCallError>) -> Term {
        switch (form, result) {
        case (.call(let resultID), let result):
            ExposedCallReply.exitReason(result, resultID: resultID, invocation)
        case (.cast, .success), (.plain, .success): .atom(.normal)
        case (.cast, .failure(let error)), (.plain, .failure(let error)):
            ExposedCallReply.processExit(error, invocation)
        }
    }
}

/// `{call, M, F, A, GroupLeader}`, as `rpc` sent it to `rex` before OTP 23, or `block_call`.
struct RexCall {
    let invocation: Invocation

    init?(_ request: Term) {
        guard case .tuple(let fields) = request, fields.count >= 4,
            fields[0] == .atom("call") || fields[0] == .atom("block_call"),
            let invocation = Invocation(fields[1...3])
        else { return nil }
        self.invocation = invocation
    }

    func reply(_ result: Result<Term, ExposedCallError>) -> Term {
        ExposedCallReply.rexReply(result, invocation)
    }
}

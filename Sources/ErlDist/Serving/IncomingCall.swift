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
    var pid: PID
    var peer: Atom
    /// How many bytes it came in.
    var byteCount: Int
    var answer: Answer
}

/// What a spawned process runs, and how its end tells the result.
struct SpawnTarget {
    private enum Form {
        case call(resultID: Term)
        case cast
        case plain
    }

    private let form: Form
    let module: Atom
    let function: Atom
    let arguments: [Term]

    init(_ request: SpawnRequest) {
        let arguments = request.arguments
        switch (request.module.name, request.function.name, arguments.count) {
        case ("erpc", "execute_call", 4):
            if Echo.isShort(arguments[0]), let module = arguments[1].asAtom,
                let function = arguments[2].asAtom,
                let list = arguments[3].asList
            {
                form = .call(resultID: arguments[0])
                (self.module, self.function, self.arguments) = (module, function, list)
                return
            }
        case ("erpc", "execute_cast", 3):
            if let module = arguments[0].asAtom, let function = arguments[1].asAtom,
                let list = arguments[2].asList
            {
                form = .cast
                (self.module, self.function, self.arguments) = (module, function, list)
                return
            }
        case (_, _, _): break
        }
        form = .plain
        (module, function, self.arguments) = (request.module, request.function, arguments)
    }

    func exitReason(_ result: Result<Term, ExposedCallError>) -> Term {
        switch (form, result) {
        case (.call(let resultID), let result):
            return ExposedCallReply.exitReason(
                result, resultID: resultID, module: module, function: function,
                arguments: arguments)
        case (.cast, .success), (.plain, .success):
            return .atom(.normal)
        case (.cast, .failure(let error)), (.plain, .failure(let error)):
            return ExposedCallReply.processExit(
                error, module: module, function: function, arguments: arguments)
        }
    }
}

/// `{call, M, F, A, GroupLeader}`, as `rpc` sent it to `rex` before OTP 23, or `block_call`.
struct RexCall {
    let module: Atom
    let function: Atom
    let arguments: [Term]

    init?(_ request: Term) {
        guard case .tuple(let fields) = request, fields.count >= 4,
            fields[0] == .atom("call") || fields[0] == .atom("block_call"),
            let module = fields[1].asAtom, let function = fields[2].asAtom,
            let arguments = fields[3].asList
        else { return nil }
        self.module = module
        self.function = function
        self.arguments = arguments
    }

    func reply(_ result: Result<Term, ExposedCallError>) -> Term {
        ExposedCallReply.rexReply(result, module: module, function: function, arguments: arguments)
    }
}

internal import Transport

/// What a response means for whoever asked for it.
struct HTTPExchange: ExchangeMachine {
    /// What is being done, for errors.
    let attempt: String
    let deadline: Duration
    private var machine: HTTPResponseMachine

    init(_ attempt: String, limits: HTTPLimits, deadline: Duration) {
        self.attempt = attempt
        self.deadline = deadline
        machine = HTTPResponseMachine(limits: limits)
    }

    mutating func received(_ bytes: [UInt8]) -> Result<HTTPResponse, HTTPError>? {
        outcome(machine.received(bytes))
    }

    mutating func ended(_ reason: StreamEnd) -> Result<HTTPResponse, HTTPError> {
        // A server may reset the connection after it has answered.
        if reason == .closedByPeer || machine.head != nil,
            let outcome = outcome(machine.connectionClosed())
        {
            return outcome
        }
        return .failure(.unreachable(attempt: attempt, reason: reason.reason))
    }

    private func outcome(
        _ action: HTTPResponseMachine.Action
    ) -> Result<HTTPResponse, HTTPError>? {
        switch action {
        case .wait: nil
        case .complete(let head): .success(HTTPResponse(head: head, isWhole: true))
        case .completeWithoutEnd(let head): .success(HTTPResponse(head: head, isWhole: false))
        case .fail(let error): .failure(.badResponse(attempt: attempt, error))
        }
    }

    func timedOut() -> Result<HTTPResponse, HTTPError> {
        guard let head = machine.head else {
            return .failure(.timedOut(attempt: attempt, after: deadline))
        }
        return .success(HTTPResponse(head: head, isWhole: false))
    }

    func couldNotConnect(_ error: any Error) -> HTTPError {
        let reason = (error as? SystemError).map { SystemError.text($0.code) } ?? "\(error)"
        return .unreachable(attempt: attempt, reason: reason)
    }

    func stopped() -> HTTPError { .stopped(attempt: attempt) }
}

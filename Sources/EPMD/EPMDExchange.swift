internal import Transport

/// What the reply to a request means for whoever asked.
struct EPMDExchange<Decoder: EPMDReplyDecoder>: ExchangeMachine {
    /// What is being done, for errors ("looking up `a` at 127.0.0.1:4369").
    let attempt: String
    let timeout: Duration
    var decoder: Decoder

    mutating func received(_ bytes: [UInt8]) -> Result<Decoder.Reply, EPMDError>? {
        do throws(EPMDReplyError) {
            return try decoder.receive(bytes).map { .success($0) }
        } catch {
            return .failure(.badReply(attempt: attempt, error))
        }
    }

    mutating func ended(_ reason: StreamEnd) -> Result<Decoder.Reply, EPMDError> {
        guard reason == .closedByPeer else {
            return .failure(.unreachable(attempt: attempt, reason: reason.reason))
        }
        do throws(EPMDReplyError) {
            return .success(try decoder.connectionClosed())
        } catch {
            return .failure(.badReply(attempt: attempt, error))
        }
    }

    func timedOut() -> Result<Decoder.Reply, EPMDError> {
        .failure(.timedOut(attempt: attempt, after: timeout))
    }

    func couldNotConnect(_ error: any Error) -> EPMDError {
        EPMDError(ofFailedConnect: error, attempt: attempt)
    }

    func stopped() -> EPMDError { .stopped(attempt: attempt) }
}

extension EPMDError {
    /// Why connecting failed, or what listens is not believed.
    init(ofFailedConnect error: any Error, attempt: String) {
        switch error {
        // One that has begun to listen just now, as a rule: the next attempt tells.
        case let error as ListenerRefusal where error.reason == .changed:
            self = .unreachable(attempt: attempt, reason: error.text("EPMD"))
        case let error as ListenerRefusal: self = .untrusted(attempt: attempt, error)
        case let error as SystemError:
            self = .unreachable(attempt: attempt, reason: SystemError.text(error.code))
        default: self = .unreachable(attempt: attempt, reason: "\(error)")
        }
    }
}

internal import Transport

/// What the reply to a request means for the caller.
struct EPMDExchange<Decoder: EPMDReplyDecoder>: ExchangeMachine {
    /// What is being attempted, for errors ("looking up `a` at 127.0.0.1:4369").
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
    /// Why connecting failed, or why the daemon is not believed.
    init(ofFailedConnect error: any Error, attempt: String) {
        switch error {
        // Usually the daemon has only just begun to listen: the next attempt will tell.
        case let error as ListenerRefusal where error.reason == .changed:
            self = .unreachable(attempt: attempt, reason: error.text("EPMD"))
        case let error as ListenerRefusal: self = .untrusted(attempt: attempt, error)
        case let error as SystemError:
            self = .unreachable(attempt: attempt, reason: SystemError.text(error.code))
        default: self = .unreachable(attempt: attempt, reason: "\(error)")
        }
    }
}

public import Transport

/// Why a request to EPMD failed. The text says what was attempted, and with which daemon.
public enum EPMDError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The daemon knows no node of that name.
    case notRegistered(name: String, address: SocketAddress)
    /// The daemon refuses the name, almost always because another node has it.
    case duplicateName(name: String, address: SocketAddress)
    /// There is no connection, or it was lost; `reason` says why.
    case unreachable(attempt: String, reason: String)
    /// A daemon on this host is not believed: it may belong to somebody who wants our secrets.
    case untrusted(attempt: String, ListenerRefusal)
    case timedOut(attempt: String, after: Duration)
    case badReply(attempt: String, EPMDReplyError)
    /// The request cannot be encoded: a name or an extra exceeds the limits.
    case badRequest(attempt: String, EPMDRequestError)
    case unresolvedHost(attempt: String, ResolutionError)
    /// The registration was stopped, or the task that asked was cancelled.
    case stopped(attempt: String)
    /// An environment variable has an invalid value.
    case badSetting(variable: String, value: String)

    public var description: String {
        switch self {
        case .notRegistered(let name, let address):
            "looking up `\(name)` at \(address): no node of that name is registered"
        case .duplicateName(let name, let address):
            "registering `\(name)` with EPMD at \(address): the name is already in use"
        case .unreachable(let attempt, let reason): "\(attempt): \(reason)"
        case .untrusted(let attempt, let refusal): "\(attempt): \(refusal.text("EPMD"))"
        case .timedOut(let attempt, let duration):
            "\(attempt): no answer within \(duration.inSeconds) s"
        case .badReply(let attempt, let error): "\(attempt): \(error)"
        case .badRequest(let attempt, let error): "\(attempt): \(error)"
        case .unresolvedHost(let attempt, let error): "\(attempt): \(error)"
        case .stopped(let attempt): "\(attempt): stopped"
        case .badSetting(let variable, let value): "\(variable)=\(value): not a usable value"
        }
    }
}

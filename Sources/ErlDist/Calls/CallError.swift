public import ExternalTermFormat

/// How a remote function ended when it did not return.
public enum ExceptionClass: String, Equatable, Sendable {
    case `throw`
    case exit
    case error
}

/// Why a call, or the connection for it, failed.
public enum CallError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The node could not be reached; the text says why.
    case unreachable(String)
    /// The node was reached and the cookies differ.
    case wrongCookie
    /// The node, or this side, refused the connection or the call; the text says why.
    case refused(String)
    /// A limit of this node is in the way; the text says which one.
    case limit(String)
    /// The connection ended while the call was under way: whether it ran is unknown.
    case connectionLost(DisconnectReason)
    /// No answer came in time: whether it ran, or still runs, is unknown.
    case timedOut
    /// The task that waited was cancelled: whether the function ran, or still runs, is unknown.
    case cancelled
    /// The function ended with an exception. `stack` is Erlang's stack trace for the class `error`,
    /// else `[]`.
    indirect case exception(class: ExceptionClass, reason: Term, stack: Term)
    /// The other side could not make the call. The term is the reason that `rpc:call/4` would give.
    indirect case badRPC(Term)

    public var description: String {
        switch self {
        case .unreachable(let text): text
        case .wrongCookie: "the node refuses the connection: the cookies differ"
        case .refused(let text): text
        case .limit(let text): "a limit of this node: \(text)"
        case .connectionLost(let reason): "the connection was lost: \(reason)"
        case .timedOut: "no answer came in time"
        case .cancelled: "the task was cancelled"
        case .exception(let kind, let reason, _): "\(kind.rawValue): \(Self.text(reason))"
        case .badRPC(let reason): "badrpc: \(Self.text(reason))"
        }
    }

    /// Why a connection has not taken a message to `node`.
    static func queueFull(_ connection: Connection, _ node: NodeName) -> CallError {
        guard let limit = connection.queueLimit else { return .connectionLost(.closedByPeer) }
        return .limit("no more than \(limit) bytes may wait to be sent to \(node)")
    }

    /// What the other side gave as its reason, cut when it is long.
    private static func text(_ reason: Term) -> String {
        reason.erlangText(maximumByteCount: 4096)
    }
}

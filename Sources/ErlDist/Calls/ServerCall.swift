public import ExternalTermFormat

/// A request that someone sends to a process by `gen_server:call/2,3`, and whose answer the sender
/// waits for.
///
/// The caller's node chooses the tag; the answer gives it back whole.
public struct ServerCall: Equatable, Sendable {
    let caller: GenCaller
    /// What the caller wants: the second argument of `gen_server:call/2`.
    public let request: Term

    /// The process that waits.
    public var pid: PID { caller.pid }

    /// The request in a message `{'$gen_call', {Pid, Tag}, Request}`; `nil` for any other message.
    public init?(_ message: Term) {
        guard case .tuple(let fields) = message, fields.count == 3,
            fields[0] == Self.marker, case .tuple(let from) = fields[1], from.count == 2,
            case .pid(let pid) = from[0]
        else { return nil }
        caller = GenCaller(pid: pid, tag: from[1])
        request = fields[2]
    }

    private static let marker = Term.atom("$gen_call")

    /// The request in `{'$gen_cast', Request}`, which `gen_server:cast/2` sends; `nil` for any
    /// other message.
    public static func cast(in message: Term) -> Term? {
        guard case .tuple(let fields) = message, fields.count == 2,
            fields[0] == .atom("$gen_cast")
        else { return nil }
        return fields[1]
    }
}

/// Who waits for the answer to a `gen_server` call. The caller's node chooses the tag; the answer
/// gives it back whole.
struct GenCaller: Equatable, Sendable {
    var pid: PID
    var tag: Term

    /// Since OTP 24 the tag is `[alias | Ref]` and the answer goes to the alias. The alias is gone
    /// once the caller has given up.
    var alias: Reference? {
        if case .improperList(let head, .reference(let reference)) = tag,
            head == [Self.aliasMarker]
        {
            reference
        } else {
            nil
        }
    }

    static let aliasMarker = Term.atom("alias")

    /// The message with the answer.
    /// - Parameter usesAlias: whether the caller's node takes messages to an alias.
    func answer(_ reply: Term, from: PID, byAlias usesAlias: Bool) -> ControlMessage {
        let message = Term.tuple([tag, reply])
        if usesAlias, let alias {
            return .aliasSend(from: from, to: alias, message: message, token: nil)
        }
        return .send(from: from, to: pid, message: message, token: nil)
    }
}

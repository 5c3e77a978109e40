/// Why a handshake failed.
public enum HandshakeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The cookies differ: our digest was refused, or the peer's is wrong.
    case wrongCookie
    /// The peer lacks capabilities that every supported node has.
    case missingFlags(DistributionFlags)
    /// The peer allows no connection from this node (`not_allowed`).
    case notAllowed
    /// The peer prefers its own connection attempt to us (`nok`).
    case simultaneousConnect
    /// The peer has another connection to this name and keeps it.
    case alreadyConnected
    /// The node that listens there has another name.
    case unexpectedNode(expected: String, found: String)
    /// The peer closed the connection after we told it our name.
    case nameRejected(String)
    /// We asked for a name and got none, or we got a name without asking.
    case unexpectedStatus(String)
    /// The peer sent a name that is not text or not `alive@host`.
    case invalidName
    case unexpectedMessage(tag: UInt8?, expected: HandshakeStep)
    case truncated(HandshakeStep)
    case messageTooLong(byteCount: Int)
    /// The peer answers with TLS, but this side speaks without it.
    case peerUsesTLS
    /// The peer does not answer over TLS, but it answers without.
    case peerLacksTLS
    case timedOut
    /// The peer's challenge is one of our own, whose answer we still wait for: whoever listens
    /// there relays it.
    case reflectedChallenge
    /// The peer takes a node that asks for a name for one that has one.
    case givesNoName
    /// The stream ended in the middle of the handshake.
    case connectionClosed(String)

    public var description: String {
        switch self {
        case .wrongCookie: "the cookies differ"
        case .missingFlags(let flags):
            "the peer lacks \(flags.names.joined(separator: ", ")), which is mandatory since OTP 25"
        case .notAllowed: "the peer does not allow this node to connect"
        case .simultaneousConnect: "the peer is connecting to this node at the same time"
        case .alreadyConnected: "the peer is already connected under this name"
        case .unexpectedNode(let expected, let found):
            "\(found) is listening there, not \(expected)"
        case .nameRejected(let name):
            "the peer ended the connection once it had been told this node's name, \(name): it may"
                + " have looked for another"
        // The peer chose the text: control characters are escaped.
        case .unexpectedStatus(let text): "unexpected handshake status \(text.debugDescription)"
        case .givesNoName: "the peer gives no names: this node must have one of its own"
        case .invalidName: "the peer sent a name that is not a node name"
        case .unexpectedMessage(let tag, let step):
            "the peer sent \(tag.map { "a message of type \($0)" } ?? "an empty message")"
                + " where \(step.rawValue) was expected; it may not be an Erlang node, or use TLS"
        case .truncated(let step): "the peer's \(step.rawValue) message is cut short"
        case .messageTooLong(let count):
            "the peer announced a handshake message of \(count) bytes; it may not be an Erlang"
                + " node, or use TLS"
        case .peerUsesTLS:
            "the peer speaks the distribution over TLS, and this side without it"
        case .peerLacksTLS:
            "the peer speaks the distribution without TLS, and this side over TLS"
        case .reflectedChallenge:
            "whoever listens there shows a challenge of our own as its own: it wants to pass for"
                + " this node with our answer"
        case .timedOut: "the handshake was not finished in time"
        case .connectionClosed(let reason): "the connection ended during the handshake: \(reason)"
        }
    }
}

/// The messages of a handshake, for errors.
public enum HandshakeStep: String, Equatable, Sendable {
    case name, status, challenge, complement, reply, acknowledgement
}

/// Why a connection to a node has ended.
public enum DisconnectReason: Error, Equatable, Sendable, CustomStringConvertible {
    /// The node ended or closed the connection.
    case closedByPeer
    /// The network failed; the text is the system's.
    case failed(String)
    /// Nothing came from the node for the whole tick time.
    case silent(Duration)
    /// The node did not read what is sent to it, for a minute.
    case notReading
    /// More waited to be sent to the node than this node keeps.
    case queueFull(byteCount: Int)
    /// The node sent something that the protocol, or a limit of this node, does not allow.
    case violation(ProtocolViolation)
    /// A newer connection of the same node replaced this one.
    case replaced
    /// The peers together had too many connections or kept bytes, and this one was chosen to make
    /// room.
    case madeRoom
    /// This side ended it.
    case disconnected

    public var description: String {
        switch self {
        case .closedByPeer: "the node closed the connection"
        case .failed(let text): text
        case .silent(let time): "nothing was heard from the node for \(time.components.seconds) s"
        case .notReading: "the node does not read what is sent to it"
        case .queueFull(let count):
            "a limit of this node: more than \(count) bytes waited to be sent to the node"
        case .violation(let violation) where violation.isOwnLimit:
            "a limit of this node: \(violation)"
        case .violation(let violation): "protocol violation: \(violation)"
        case .replaced: "a newer connection of the node has taken its place"
        case .madeRoom: "this node needed the room for others"
        case .disconnected: "disconnected by this node"
        }
    }
}

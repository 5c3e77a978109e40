/// Why a connection to a node has ended.
public enum DisconnectReason: Error, Equatable, Sendable, CustomStringConvertible {
    /// The node ended or closed the connection.
    case closedByPeer
    /// The network failed; the text is the system's.
    case failed(String)
    /// Nothing came from the node for the whole tick time.
    case silent(Duration)
    /// The node does not read what is sent to it.
    case notReading
    /// The node sent something that the protocol does not allow.
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
        case .violation(let violation): "protocol violation: \(violation)"
        case .replaced: "a newer connection of the node has taken its place"
        case .madeRoom: "this node needed the room for others"
        case .disconnected: "disconnected by this node"
        }
    }
}

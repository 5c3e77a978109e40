internal import ExternalTermFormat
internal import Transport

/// The connected peers by name, and the limits on what they cost together. They belong to their
/// node's isolation.
final class Peers {
    private var connections: [Atom: PeerConnection] = [:]
    private var budget: PeerBudget

    init(limits: PeerBudget.Limits) {
        budget = PeerBudget(limits: limits)
    }

    subscript(name: Atom) -> PeerConnection? { connections[name] }

    /// In no particular order.
    var all: [PeerConnection] { Array(connections.values) }
    /// Bytes that are kept for all of them.
    var heldByteCount: Int { budget.heldByteCount }

    /// - Precondition: no peer of this name is connected.
    func insert(_ peer: PeerConnection) {
        precondition(connections[peer.name] == nil, "A peer has one connection")
        connections[peer.name] = peer
    }

    /// A connection has ended.
    /// - Returns: whether it was still the peer's current connection.
    func remove(_ peer: PeerConnection) -> Bool {
        guard connections[peer.name] === peer else { return false }
        connections[peer.name] = nil
        budget.end(peer.name)
        return true
    }

    // MARK: Making room

    /// A peer has connected to us.
    /// - Returns: the peer that is to make room for it, if any.
    func admit(_ peer: PeerConnection, from source: PeerSource) -> PeerConnection? {
        budget.admit(peer.name, from: source).flatMap { connections[$0] }
    }

    /// This node calls a peer: from now on its connection makes room for no other.
    func use(_ peer: PeerConnection) {
        guard !peer.isUsed else { return }
        peer.isUsed = true
        budget.use(peer.name)
    }

    /// Notes how many bytes are kept for a peer now.
    /// - Returns: when there are too many, the peer that has most; close its connection.
    func hold(byteCount: Int, for peer: PeerConnection) -> PeerConnection? {
        budget.hold(byteCount: byteCount, for: peer.name).flatMap { connections[$0] }
    }
}

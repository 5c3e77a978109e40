internal import ExternalTermFormat
internal import Transport

/// The connected peers by name, and what they may cost together. They belong to their node's
/// isolation.
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

    /// - Precondition: none of this name is connected.
    func insert(_ peer: PeerConnection) {
        precondition(connections[peer.name] == nil, "A peer has one connection")
        connections[peer.name] = peer
    }

    /// A connection has ended.
    /// - Returns: whether it was still the peer's.
    func remove(_ peer: PeerConnection) -> Bool {
        guard connections[peer.name] === peer else { return false }
        connections[peer.name] = nil
        budget.end(peer.name)
        return true
    }

    // MARK: Making room

    /// A peer has connected itself.
    /// - Returns: the peer that is to make room for it.
    func admit(_ peer: PeerConnection, from source: PeerSource) -> PeerConnection? {
        budget.admit(peer.name, from: source).flatMap { connections[$0] }
    }

    /// This node calls a peer: its connection makes room for nobody from now on.
    func use(_ peer: PeerConnection) {
        guard !peer.isUsed else { return }
        peer.isUsed = true
        budget.use(peer.name)
    }

    /// So many bytes are kept for a peer now.
    /// - Returns: the peer that has most, if there are too many: its connection is to be closed.
    func hold(byteCount: Int, for peer: PeerConnection) -> PeerConnection? {
        budget.hold(byteCount: byteCount, for: peer.name).flatMap { connections[$0] }
    }
}

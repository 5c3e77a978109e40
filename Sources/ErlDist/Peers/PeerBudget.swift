internal import ExternalTermFormat
internal import Transport

/// Decides how many connections and bytes all peers of a node may cost together, and which peer
/// makes room for others.
///
/// It does no I/O. A peer is known by its name, and each name has one connection.
struct PeerBudget {
    struct Limits: Equatable, Sendable {
        /// Connections that others have made and that this node has not used for calls of its own.
        var connectionCount = 256
        /// Bytes that are kept for peers: incomplete frames and fragments, names of atoms, data
        /// that waits for its turn, and data that waits to be sent.
        var byteCount = 256 << 20
    }

    private let limits: Limits
    private var strangers: AcceptedHandshakes<Atom, PeerSource>
    private var held: [Atom: Int] = [:]
    private(set) var heldByteCount = 0

    init(limits: Limits) {
        self.limits = limits
        strangers = AcceptedHandshakes(limit: max(limits.connectionCount, 1))
    }

    // MARK: Connections

    /// A peer has connected to us.
    /// - Returns: the peer that makes room for it, if any.
    mutating func admit(_ peer: Atom, from source: PeerSource) -> Atom? {
        strangers.begin(peer, from: source)
    }

    /// This node calls the peer: from now on its connection makes room for no other.
    mutating func use(_ peer: Atom) {
        strangers.end(peer)
    }

    /// A connection has ended.
    mutating func end(_ peer: Atom) {
        strangers.end(peer)
        heldByteCount -= held.removeValue(forKey: peer) ?? 0
    }

    // MARK: Bytes

    /// Notes how many bytes are kept for a peer now.
    /// - Returns: when there are too many, the peer that has most; close its connection.
    mutating func hold(byteCount: Int, for peer: Atom) -> Atom? {
        heldByteCount += byteCount - (held.updateValue(byteCount, forKey: peer) ?? 0)
        guard heldByteCount > limits.byteCount else { return nil }
        // Ties have a fixed order.
        return held.max { ($0.value, $0.key.name) < ($1.value, $1.key.name) }?.key
    }
}

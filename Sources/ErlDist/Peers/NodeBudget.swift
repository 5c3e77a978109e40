internal import ExternalTermFormat
internal import Transport

/// What all peers of a node may cost together, and who makes room when it is used up: connections, bytes that are
/// kept for peers, and their calls.
///
/// It does no I/O. A peer is known by its name, of which there is one connection.
struct NodeBudget {
    struct Limits: Equatable, Sendable {
        /// Connections that others have made and that this node has not used for calls of its own.
        var connectionCount = 256
        /// Bytes that are kept for peers: frames and fragments that are not whole, names of atoms, what waits for its
        /// turn, and what waits to be sent.
        var byteCount = 256 << 20
        /// Calls that run, all together and of one peer.
        var callCount = 1024
        var callCountOfPeer = 512
        /// Bytes of all calls that run, as they came.
        var callByteCount = 16 << 20
    }

    private struct Calls {
        var count = 0
        var byteCount = 0
    }

    private let limits: Limits
    private var strangers: AcceptedHandshakes<Atom, PeerSource>
    private var held: [Atom: Int] = [:]
    private(set) var heldByteCount = 0
    private var calls = Calls()
    private var callsOfPeer: [Atom: Calls] = [:]

    init(limits: Limits) {
        self.limits = limits
        strangers = AcceptedHandshakes(limit: limits.connectionCount)
    }

    // MARK: Connections

    /// A peer has connected itself.
    /// - Returns: the peer that makes room for it.
    mutating func admit(_ peer: Atom, from source: PeerSource) -> Atom? {
        strangers.begin(peer, from: source)
    }

    /// This node has called the peer, or means to: its connection makes room for nobody.
    mutating func use(_ peer: Atom) {
        strangers.end(peer)
    }

    /// A connection has ended.
    mutating func end(_ peer: Atom) {
        strangers.end(peer)
        heldByteCount -= held.removeValue(forKey: peer) ?? 0
    }

    // MARK: Bytes

    /// So many bytes are kept for a peer now.
    /// - Returns: the peer that has most, if there are too many: its connection is to be closed.
    mutating func hold(byteCount: Int, for peer: Atom) -> Atom? {
        heldByteCount += byteCount - (held.updateValue(byteCount, forKey: peer) ?? 0)
        guard heldByteCount > limits.byteCount else { return nil }
        // Of several with as many it is always the same one.
        return held.max { ($0.value, $0.key.name) < ($1.value, $1.key.name) }?.key
    }

    // MARK: Calls

    var callCount: Int { calls.count }
    var callByteCount: Int { calls.byteCount }

    /// Whether one more call may run. A single one may have any size.
    func hasRoomForCall(byteCount: Int, of peer: Atom) -> Bool {
        calls.count < limits.callCount
            && (callsOfPeer[peer]?.count ?? 0) < limits.callCountOfPeer
            && (calls.count == 0 || calls.byteCount + byteCount <= limits.callByteCount)
    }

    mutating func callBegan(byteCount: Int, of peer: Atom) {
        calls.count += 1
        calls.byteCount += byteCount
        callsOfPeer[peer, default: Calls()].count += 1
    }

    mutating func callEnded(byteCount: Int, of peer: Atom) {
        calls.count -= 1
        calls.byteCount -= byteCount
        callsOfPeer[peer]?.count -= 1
        if callsOfPeer[peer]?.count == 0 { callsOfPeer[peer] = nil }
    }
}

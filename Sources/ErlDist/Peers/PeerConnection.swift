internal import ExternalTermFormat
internal import Transport

/// A connected peer, with the calls and senders that are under way. It belongs to its node's
/// isolation.
final class PeerConnection {
    let connection: Connection
    let peer: PeerNode
    /// Our creation as this peer knows it.
    let ownCreation: UInt32
    let calls: OutgoingCalls
    private let identity: NodeIdentity
    /// Whether this node has made the connection, or has called over it; see ``Peers/use(_:)``.
    var isUsed = false
    /// Tasks that wait until what they sent has left.
    private var senders: [UInt64: CheckedContinuation<Void, Never>] = [:]

    init(
        _ connection: Connection, to peer: PeerNode, ownCreation: UInt32, identity: NodeIdentity,
        leaders: GroupLeaders, loop: EventLoop
    ) {
        self.connection = connection
        self.peer = peer
        self.ownCreation = ownCreation
        self.identity = identity
        calls = OutgoingCalls(
            over: connection, to: peer, creation: ownCreation, identity: identity,
            leaders: leaders, loop: loop)
    }

    /// The name by which the peer is known.
    var name: Atom { peer.name.atom }
    /// The source that the connection is counted for.
    var source: PeerSource { PeerSource(connection.peerAddress) }

    /// One of our processes as the peer knows it.
    func pid(_ id: UInt32) -> PID {
        identity.pid(id, creation: ownCreation)
    }

    /// Answers a `gen_server` call.
    /// - Parameter id: the number of the process that answers; 0 for the node itself.
    func answer(_ caller: GenCaller, _ reply: Term, from id: UInt32 = 0) {
        connection.send(caller.answer(reply, from: pid(id), byAlias: peer.flags.contains(.alias)))
    }

    /// Makes the peer send something, whatever its own tick time: it answers a monitor of an unused
    /// name at once.
    func probe() {
        guard peer.flags.contains(.monitorsByName) else { return }
        connection.send(
            .monitor(
                from: pid(0), to: .name(Atom("$tick")),
                reference: identity.makeReference(creation: ownCreation)))
    }

    // MARK: Senders that wait

    /// Resumes `sender` when all that waits has been sent, when the connection has ended, or when
    /// the sender is cancelled.
    func waitUntilSent(_ number: UInt64, _ sender: CheckedContinuation<Void, Never>) {
        if senders.isEmpty { connection.whenSent { [self] in resumeSenders() } }
        senders[number] = sender
    }

    func resumeSender(_ number: UInt64) {
        senders.removeValue(forKey: number)?.resume()
    }

    func resumeSenders() {
        // The one that has waited longest is first.
        for number in senders.keys.sorted() { resumeSender(number) }
    }
}

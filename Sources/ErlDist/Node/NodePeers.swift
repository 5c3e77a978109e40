internal import ExternalTermFormat
internal import Transport

// A connection from the end of its handshake to its own end.

extension Node {
    /// The handshake is over. An earlier connection of the same node is replaced.
    @discardableResult
    func adopt(_ connection: Connection, _ node: PeerNode, ownCreation: UInt32) -> PeerConnection {
        if let former = peers[node.name.atom] { disconnect(former, .replaced) }
        let peer = PeerConnection(
            connection, to: node, ownCreation: ownCreation, identity: identity, leaders: leaders,
            loop: loop)
        peers.insert(peer)
        connection.setHandler { event in self.handle(event, peer) }
        tell(.nodeUp(node.name, creation: node.creation, isHidden: node.isHidden))
        attempts.isConnected(peer.name)
        return peer
    }

    private func handle(_ event: Connection.Event, _ peer: PeerConnection) {
        switch event {
        case .answered(let answer): peer.calls.receive(answer)
        case .received(let message): receive(message, from: peer)
        case .quiet: peer.probe()
        case .holding(let byteCount): hold(byteCount, peer)
        case .ended(.disconnected(let reason)): connectionEnded(peer, reason)
        case .applicant, .connected, .ended(.handshake):
            preconditionFailure("The handshake is over")
        }
    }

    // MARK: Making room

    private func hold(_ byteCount: Int, _ peer: PeerConnection) {
        while let victim = peers.hold(byteCount: byteCount, for: peer) {
            makeRoom(
                closing: victim, cause: "bytes",
                "More than \(configuration.maximumHeldByteCount) bytes are kept for peers")
            if victim === peer { return }
        }
    }

    /// Ends the connection of the peer that makes room for others.
    func makeRoom(closing victim: PeerConnection, cause: String, _ text: String) {
        report(
            .warning, cause: cause, of: victim.source,
            "\(text): closing the connection to \(victim.peer.name), which has most of it")
        disconnect(victim, .madeRoom)
    }

    // MARK: Ends

    func disconnect(_ peer: PeerConnection, _ reason: DisconnectReason) {
        peer.connection.close()
        connectionEnded(peer, reason)
    }

    private func connectionEnded(_ peer: PeerConnection, _ reason: DisconnectReason) {
        guard peers.remove(peer) else { return }
        let name = peer.peer.name
        peer.resumeSenders()
        processes.connectionEnded(peer.name, reason)
        peer.calls.endAll(.connectionLost(reason))
        switch reason {
        case .violation, .silent, .notReading, .queueFull:
            report(
                .warning, cause: "\(name): \(reason)", of: peer.source,
                "The connection to \(name) was closed: \(reason)")
        case .closedByPeer, .failed, .replaced, .disconnected, .madeRoom: break
        }
        tell(.nodeDown(name, reason))
    }
}

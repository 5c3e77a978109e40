internal import Transport

/// The listener, and the connections that it has accepted and whose handshake is not finished. They
/// belong to their node's isolation.
final class AcceptedConnections {
    private enum Stage {
        /// Waits until the files of TLS have been looked at, as long as the timer runs.
        case preparing(TCPStream, LoopTimer)
        case shakingHands(Connection, challenge: UInt32)

        var peerAddress: SocketAddress {
            switch self {
            case .preparing(let tcp, _): tcp.peerAddress
            case .shakingHands(let connection, _): connection.peerAddress
            }
        }

        func close() {
            switch self {
            case .preparing(let tcp, let timer):
                timer.cancel()
                tcp.close()
            case .shakingHands(let connection, _): connection.close()
            }
        }
    }

    private var listener: TCPListener?
    /// By the stream, then by the connection over it.
    private var stages: [ObjectIdentifier: Stage] = [:]
    private var handshakes: AcceptedHandshakes<ObjectIdentifier, PeerSource>

    /// - Parameter limit: one more closes the oldest of the source that has most.
    init(limit: Int) {
        handshakes = AcceptedHandshakes(limit: limit)
    }

    var count: Int { handshakes.count }

    /// Takes the place of the former listener.
    func listen(_ listener: TCPListener) {
        self.listener?.close()
        self.listener = listener
    }

    // MARK: Stages

    /// The files of TLS are looked at for a connection.
    /// - Returns: the address of the one that has made room for it.
    func prepare(_ tcp: TCPStream, _ timer: LoopTimer) -> SocketAddress? {
        stages[ObjectIdentifier(tcp)] = .preparing(tcp, timer)
        return makeRoom(for: ObjectIdentifier(tcp), from: tcp.peerAddress)
    }

    /// The files have been looked at.
    /// - Returns: `false` when the connection was closed meanwhile.
    func endPreparing(_ tcp: TCPStream) -> Bool {
        guard case .preparing(let waiting, let timer) = stages[ObjectIdentifier(tcp)],
            waiting === tcp
        else { return false }
        timer.cancel()
        return true
    }

    /// The handshake begins, with this challenge of ours.
    /// - Parameter former: the stream under it, if it was prepared.
    /// - Returns: the address of the connection that has made room for this one.
    func shakeHands(
        _ connection: Connection, _ challenge: UInt32, replacing former: TCPStream?
    ) -> SocketAddress? {
        let id = ObjectIdentifier(connection)
        stages[id] = .shakingHands(connection, challenge: challenge)
        guard let former else { return makeRoom(for: id, from: connection.peerAddress) }
        stages[ObjectIdentifier(former)] = nil
        handshakes.replace(ObjectIdentifier(former), by: id)
        return nil
    }

    /// The handshake has ended, well or not.
    func end(_ connection: Connection) {
        forget(ObjectIdentifier(connection))
    }

    func close(_ tcp: TCPStream) {
        forget(ObjectIdentifier(tcp))?.close()
    }

    /// Stops listening too.
    func closeAll() {
        listener?.close()
        listener = nil
        for stage in stages.values { stage.close() }
        stages = [:]
        handshakes.removeAll()
    }

    /// Whether a challenge that a peer shows us is one that we have sent, and whose answer we wait
    /// for.
    ///
    /// A stranger could connect to us, take our challenge, and show it where we dial: we would
    /// compute the answer for it. Nothing in a handshake tells its direction, so we refuse our own
    /// challenges.
    func isOwnChallenge(_ challenge: UInt32) -> Bool {
        stages.values.contains { stage in
            if case .shakingHands(_, challenge: challenge) = stage { true } else { false }
        }
    }

    private func makeRoom(for id: ObjectIdentifier, from peer: SocketAddress) -> SocketAddress? {
        guard let oldest = handshakes.begin(id, from: PeerSource(peer)),
            let stage = forget(oldest)
        else { return nil }
        let address = stage.peerAddress
        stage.close()
        return address
    }

    @discardableResult
    private func forget(_ id: ObjectIdentifier) -> Stage? {
        handshakes.end(id)
        return stages.removeValue(forKey: id)
    }
}

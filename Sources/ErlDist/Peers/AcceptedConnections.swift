internal import Transport

/// The listener, and the connections that it has accepted and whose handshake is not finished yet.
/// They belong to their node's isolation.
final class AcceptedConnections {
    private enum Stage {
        /// The connection waits until the files of TLS have been looked at, as long as the timer
        /// runs.
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
    /// The key is the stream first, and later the connection over it.
    private var stages: [ObjectIdentifier: Stage] = [:]
    private var handshakes: AcceptedHandshakes<ObjectIdentifier, PeerSource>

    /// - Parameter limit: one more connection closes the oldest of the source that has most.
    init(limit: Int) {
        handshakes = AcceptedHandshakes(limit: limit)
    }

    var count: Int { handshakes.count }

    /// Replaces the former listener, which is closed.
    func listen(_ listener: TCPListener) {
        self.listener?.close()
        self.listener = listener
    }

    // MARK: Stages

    /// Registers a connection while the files of TLS are looked at.
    /// - Returns: the address of the connection that was closed to make room, if any.
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
    /// - Parameter former: the stream under the connection, if it was prepared.
    /// - Returns: the address of the connection that was closed to make room, if any.
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

    /// The handshake has ended, with or without success.
    func end(_ connection: Connection) {
        forget(ObjectIdentifier(connection))
    }

    func close(_ tcp: TCPStream) {
        forget(ObjectIdentifier(tcp))?.close()
    }

    /// Closes all these connections, and stops listening.
    func closeAll() {
        listener?.close()
        listener = nil
        for stage in stages.values { stage.close() }
        stages = [:]
        handshakes.removeAll()
    }

    /// Whether we have sent this challenge ourselves and still wait for its answer.
    ///
    /// A stranger could connect to us, take our challenge, and show it to us where we dial: we
    /// would compute the answer for it. Nothing in a handshake shows its direction, so we refuse
    /// our own challenges.
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

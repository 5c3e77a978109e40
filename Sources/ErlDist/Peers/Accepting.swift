internal import Transport

/// A connection that was accepted and whose handshake is not finished.
enum Accepting {
    /// It waits until the files of TLS have been looked at, as long as the timer runs.
    case preparing(TCPStream, LoopTimer)
    case shakingHands(Connection)

    var peerAddress: SocketAddress {
        switch self {
        case .preparing(let tcp, _): tcp.peerAddress
        case .shakingHands(let connection): connection.peerAddress
        }
    }

    func close() {
        switch self {
        case .preparing(let tcp, let timer):
            timer.cancel()
            tcp.close()
        case .shakingHands(let connection): connection.close()
        }
    }
}

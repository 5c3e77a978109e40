internal import Transport

/// Finds out whether a peer that did not answer over TLS answers without it. An OTP node without
/// TLS takes the first bytes of TLS for the length of a long name, and waits in silence for the
/// rest.
///
/// It tells the peer a name and looks at what comes back. It answers no challenge, so it reveals
/// nothing about the cookie. It is confined to the loop of its stream.
final class PlainAnswer {
    private let stream: any ByteStream
    private var decoder = HandshakePacketDecoder(width: .twoBytes)
    private var timer: LoopTimer?
    private var waiter: CheckedContinuation<Bool, Never>?

    private init(_ stream: any ByteStream) {
        self.stream = stream
    }

    /// Whether the peer answers `name` with a status of the distribution's handshake. The stream is
    /// closed afterwards.
    static func comes(
        over stream: any ByteStream, to name: HandshakeMessage.SentName, within timeout: Duration,
        on loop: EventLoop
    ) async -> Bool {
        let answer = PlainAnswer(stream)
        return await withCheckedContinuation { waiter in
            answer.waiter = waiter
            answer.timer = loop.schedule(after: timeout) { answer.end(false) }
            stream.start(receive: { answer.receive($0) }, end: { _ in answer.end(false) })
            let message = HandshakeMessage.name(name).encoded()
            stream.send(HandshakePacketDecoder.framed(message, width: .twoBytes))
        }
    }

    private func receive(_ bytes: borrowing Span<UInt8>) {
        decoder.append(bytes)
        do throws(HandshakeError) {
            guard let message = try decoder.next() else { return }
            _ = try HandshakeMessage(decoding: message, expecting: .status)
            end(true)
        } catch {
            end(false)
        }
    }

    private func end(_ isGiven: Bool) {
        guard let waiter = waiter.take() else { return }
        timer?.cancel()
        stream.close()
        waiter.resume(returning: isGiven)
    }
}

/// An ordered, reliable stream of bytes in both directions: TCP, or TLS over it.
///
/// It is used on its event loop's thread only. The owner calls ``start(receive:end:)`` once, and
/// ``close()`` or ``finish()`` at the end.
package protocol ByteStream: AnyObject, Sendable {
    /// The other side's address, for logs.
    var peerAddress: SocketAddress { get }

    /// Bytes accepted by ``send(_:)`` that the kernel has not taken yet.
    var queuedByteCount: Int { get }

    /// Called each time everything queued has been handed to the kernel.
    var onDrain: (() -> Void)? { get set }

    /// Begins reading. `receive` gets the bytes as they come; they are valid during the call only.
    /// `end` is called once when the stream ends by itself, never after ``close()``.
    func start(
        receive: @escaping (borrowing Span<UInt8>) -> Void, end: @escaping (StreamEnd) -> Void)

    /// Queues bytes; they leave before the loop waits again. Beyond
    /// ``StreamLimits/queuedByteCount`` the stream ends with ``StreamEnd/sendQueueFull``.
    func send(_ bytes: ArraySlice<UInt8>)

    /// Hands the kernel now as much of the queue as it takes. The stream may end during this call.
    /// Do not call it from the stream's own callbacks.
    func flush()

    /// Pauses or resumes reading, so that the peer feels the pressure.
    var isReadingPaused: Bool { get set }

    /// Ends the stream now. What is queued is lost, and no callback is called any more.
    func close()

    /// Ends the stream once everything queued has left or the send deadline has passed.
    func finish()
}

extension ByteStream {
    /// Queues bytes; see ``send(_:)-(ArraySlice<UInt8>)``.
    package func send(_ bytes: [UInt8]) {
        send(bytes[...])
    }
}

/// Why a stream ended by itself.
package enum StreamEnd: Equatable, Sendable, CustomStringConvertible {
    /// The peer closed its side in an orderly way.
    case closedByPeer
    /// A system call failed, such as a reset.
    case failed(SystemError)
    /// More was queued than the limit allows.
    case sendQueueFull
    /// Bytes were queued for ``StreamLimits/sendDeadline``, and the peer took none.
    case sendTimedOut
    /// TLS refused the peer, the peer refused us, or TLS was not closed properly.
    indirect case tls(TLSError)

    package var description: String {
        switch self {
        case .closedByPeer: "the peer closed the connection"
        case .failed(let error): error.description
        case .sendQueueFull: "more was to be sent than this side keeps for the peer"
        case .sendTimedOut: "the peer stopped reading"
        case .tls(let error): error.description
        }
    }

    /// The reason alone, for an error that itself says what was attempted.
    package var reason: String {
        if case .failed(let error) = self { SystemError.text(error.code) } else { description }
    }
}

/// The limits of one stream.
package struct StreamLimits: Sendable {
    /// How many bytes may wait for the peer. Default: 64 MiB.
    package var queuedByteCount = 64 << 20
    /// How long queued bytes may wait while the kernel takes none. Default: 60 s.
    package var sendDeadline: Duration = .seconds(60)

    package init() {}
}

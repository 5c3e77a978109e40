/// TLS over a TCP stream. See ``ByteStream`` for the contract.
///
/// ``start(receive:end:)`` begins the handshake; what is sent before its end waits. A handshake
/// that fails ends the stream with ``StreamEnd/tls(_:)``. So does a peer that refuses us later. In
/// TLS 1.3 a client has finished before the server has judged its certificate, so the refusal comes
/// with the first read. Only an answer in the protocol above shows that the peer has accepted us.
///
/// Small sends are joined into one record when the loop is about to wait. Plaintext is encrypted
/// only as fast as the peer takes it.
///
/// The invariant behind `@unchecked Sendable`: everything is used on the loop's thread only.
package final class TLSStream: ByteStream, @unchecked Sendable {
    private enum Phase {
        case idle
        case shakingHands
        case open
        /// Nothing more is accepted or delivered, but what is queued still leaves.
        case finishing
        /// Our alert, with our reason, is on its way.
        case lingering
        case closed

        var isIdle: Bool {
            if case .idle = self { true } else { false }
        }
    }

    package var onDrain: (() -> Void)?
    /// The result of the handshake, once it is finished.
    package var session: TLSSession? { engine.isHandshakeFinished ? engine.session : nil }

    private let tcp: TCPStream
    private let loop: EventLoop
    private let engine: TLSEngine
    private let limits: StreamLimits
    private let handshakeTimeout: Duration
    private var phase = Phase.idle
    private var receive: ((borrowing Span<UInt8>) -> Void)?
    private var end: ((StreamEnd) -> Void)?
    private var timer: LoopTimer?

    private var pending = PlaintextQueue()
    private var isOverfull = false
    /// Plaintext from bytes that came before reading was paused.
    private var held: [UInt8] = []

    /// How much ciphertext may wait in the TCP stream before more is encrypted.
    private static let ciphertextByteCount = 256 << 10
    /// How long a refused peer may take to read our reason.
    private static let lingerTime: Duration = .seconds(1)

    private init(
        _ tcp: TCPStream, _ context: TLSContext, host: String?, loop: EventLoop,
        limits: StreamLimits, handshakeTimeout: Duration
    ) throws(TLSConfigurationError) {
        do throws(TLSConfigurationError) {
            engine = try context.makeEngine(host: host)
        } catch {
            tcp.close()
            throw error
        }
        self.tcp = tcp
        self.loop = loop
        self.limits = limits
        self.handshakeTimeout = handshakeTimeout
    }

    /// The client's side over a connected stream that has not been started. The stream belongs to
    /// this one from now on.
    /// - Parameter host: the server's name; see ``TLSConfiguration/ServerName``.
    /// - Throws: when `host` cannot be a server's name; then `tcp` is closed.
    package convenience init(
        connecting tcp: TCPStream, to host: String, _ context: TLSContext, on loop: EventLoop,
        limits: StreamLimits = StreamLimits(), handshakeTimeout: Duration = .seconds(7)
    ) throws(TLSConfigurationError) {
        precondition(context.role == .client, "A client's context is needed")
        try self.init(
            tcp, context, host: host, loop: loop, limits: limits,
            handshakeTimeout: handshakeTimeout)
    }

    /// The server's side over an accepted stream that has not been started. The stream belongs to
    /// this one from now on.
    /// - Throws: when OpenSSL has no memory; then `tcp` is closed.
    package convenience init(
        accepting tcp: TCPStream, _ context: TLSContext, on loop: EventLoop,
        limits: StreamLimits = StreamLimits(), handshakeTimeout: Duration = .seconds(7)
    ) throws(TLSConfigurationError) {
        precondition(context.role == .server, "A server's context is needed")
        try self.init(
            tcp, context, host: nil, loop: loop, limits: limits,
            handshakeTimeout: handshakeTimeout)
    }

    package var peerAddress: SocketAddress { tcp.peerAddress }
    /// This side's address.
    package var localAddress: SocketAddress { tcp.localAddress }

    /// Counts plaintext that is not encrypted yet, and ciphertext that the kernel has not taken.
    package var queuedByteCount: Int { pending.byteCount + tcp.queuedByteCount }

    // MARK: Starting

    package func start(
        receive: @escaping (borrowing Span<UInt8>) -> Void, end: @escaping (StreamEnd) -> Void
    ) {
        guard case .idle = phase else { preconditionFailure("A stream starts once") }
        phase = .shakingHands
        self.receive = receive
        self.end = end
        startTCP()
        timer = loop.schedule(after: handshakeTimeout) { [weak self] in
            self?.fail(.handshakeTimedOut)
        }
        if let error = engine.start() {
            // Not during start(), because the owner has not returned from it yet.
            loop.schedule(after: .zero) { [self] in fail(error) }
        }
        sendOutgoing()
    }

    private func startTCP() {
        // The TCP stream keeps this one alive until it is closed.
        tcp.start(
            receive: { [self] bytes in received(bytes) },
            end: { [self] reason in streamEnded(reason) })
        tcp.onDrain = { [weak self] in self?.drained() }
        tcp.willFlush = { [weak self] in self?.encryptPending() }
    }

    // MARK: Receiving

    package var isReadingPaused = false {
        didSet { if isReadingPaused != oldValue { readingChanged() } }
    }

    private func readingChanged() {
        guard case .open = phase else { return }
        if isReadingPaused {
            tcp.isReadingPaused = true
        } else if held.isEmpty {
            tcp.isReadingPaused = false
        } else {
            // Not during the owner's own call.
            loop.schedule(after: .zero) { [self] in deliverHeld() }
        }
    }

    private func deliverHeld() {
        guard case .open = phase, !isReadingPaused else { return }
        let bytes = held
        held = []
        receive?(bytes.span)
        if case .open = phase, !isReadingPaused { tcp.isReadingPaused = false }
    }

    private func received(_ bytes: borrowing Span<UInt8>) {
        bytes.withUnsafeBytes { bytes in
            var ciphertext = bytes
            while isReceiving {
                let buffer = loop.plaintextBuffer
                let step = engine.receive(&ciphertext, into: buffer)
                // Send before the plaintext is handed on: the owner may close the stream in
                // response.
                sendOutgoing()
                if step.hasFinishedHandshake { handshakeFinished() }
                if step.plaintextByteCount > 0 {
                    deliver(UnsafeRawBufferPointer(rebasing: buffer[..<step.plaintextByteCount]))
                }
                switch step.status {
                case .incomplete: return
                case .bufferFull: continue
                case .closed: return ended(.closedByPeer)
                case .failed(let error): return fail(error)
                }
            }
        }
    }

    private var isReceiving: Bool {
        switch phase {
        case .shakingHands, .open, .finishing: true
        case .idle, .lingering, .closed: false
        }
    }

    private func deliver(_ bytes: UnsafeRawBufferPointer) {
        guard case .open = phase else { return }
        if isReadingPaused {
            held += bytes
        } else {
            bytes.withMemoryRebound(to: UInt8.self) { receive?(Span(_unsafeElements: $0)) }
        }
    }

    private func handshakeFinished() {
        timer?.cancel()
        timer = nil
        switch phase {
        case .shakingHands:
            phase = .open
            if isReadingPaused { tcp.isReadingPaused = true }
            if !pending.isEmpty { tcp.scheduleFlush() }
        case .finishing:
            finishTCPIfDone()
        case .idle, .open, .lingering, .closed: return
        }
    }

    // MARK: Sending

    package func send(_ bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty, !isOverfull else { return }
        switch phase {
        case .idle, .shakingHands, .open: break
        case .finishing, .lingering, .closed: return
        }
        pending.append(bytes)
        if queuedByteCount > limits.queuedByteCount {
            isOverfull = true
            loop.schedule(after: .zero) { [self] in ended(.sendQueueFull) }
            return
        }
        if engine.isHandshakeFinished { tcp.scheduleFlush() }
    }

    package func flush() {
        if case .open = phase { tcp.flush() }
    }

    private func sendOutgoing() {
        let bytes = engine.takeOutgoing()
        if !bytes.isEmpty { tcp.send(bytes) }
    }

    /// Called before the TCP stream hands its bytes to the kernel.
    private func encryptPending() {
        guard engine.isHandshakeFinished, isReceiving else { return }
        var room = Self.ciphertextByteCount - tcp.queuedByteCount
        while room > 0, !pending.isEmpty {
            let (count, error) = pending.withFirst(Self.ciphertextByteCount) { bytes in
                (bytes.count, engine.encrypt(bytes))
            }
            if let error {
                // Not during the TCP stream's flush.
                loop.schedule(after: .zero) { [self] in fail(error) }
                break
            }
            pending.removeFirst(count)
            room -= count
        }
        if case .finishing = phase, pending.isEmpty { engine.shutdown() }
        sendOutgoing()
    }

    private func drained() {
        if !pending.isEmpty {
            if engine.isHandshakeFinished { tcp.scheduleFlush() }
            return
        }
        switch phase {
        case .open: onDrain?()
        case .finishing: finishTCPIfDone()
        case .idle, .shakingHands, .lingering, .closed: return
        }
    }

    // MARK: Ending

    package func finish() {
        switch phase {
        case .idle:
            guard !pending.isEmpty else { return close() }
            start(receive: { _ in }, end: { _ in })
        case .shakingHands:
            guard !pending.isEmpty else { return close() }
        case .open: break
        case .finishing, .lingering, .closed: return
        }
        phase = .finishing
        end = nil
        receive = nil
        held = []
        // What the peer still sends is read and thrown away. Otherwise the connection would be
        // reset.
        tcp.isReadingPaused = false
        finishTCPIfDone()
    }

    private func finishTCPIfDone() {
        guard engine.isHandshakeFinished else { return }
        guard pending.isEmpty else { return tcp.scheduleFlush() }
        engine.shutdown()
        sendOutgoing()
        release(.closed)
        tcp.finish()
    }

    package func close() {
        switch phase {
        case .closed: return
        case .lingering: break
        case .idle, .shakingHands, .open, .finishing:
            // Show the peer an orderly end, not a cut, if that costs no waiting.
            if engine.isHandshakeFinished, tcp.queuedByteCount == 0, pending.isEmpty {
                engine.shutdown()
                release(.closed)
                sendOutgoing()
                tcp.flush()
            }
        }
        release(.closed)
        tcp.close()
    }

    /// Tells the owner of the end. If the peer is still there it is told why.
    private func fail(_ error: TLSError) {
        guard isReceiving else { return }
        let end = end
        flushHeld()
        guard isReceiving else { return }
        sendOutgoing()
        release(.lingering)
        if tcp.queuedByteCount > 0 {
            tcp.isReadingPaused = false
            timer = loop.schedule(after: Self.lingerTime) { [self] in close() }
        } else {
            close()
        }
        end?(.tls(error))
    }

    /// The TCP stream has ended by itself.
    private func streamEnded(_ reason: StreamEnd) {
        guard isReceiving else { return close() }
        switch reason {
        case .closedByPeer:
            ended(engine.connectionClosed().map { .tls($0) } ?? .closedByPeer)
        case .failed:
            // If a peer closes while bytes of ours are unread, the connection is reset.
            if !engine.isHandshakeFinished, let error = engine.connectionClosed() {
                ended(.tls(error))
            } else {
                ended(reason)
            }
        case .sendQueueFull, .sendTimedOut, .tls:
            ended(reason)
        }
    }

    private func ended(_ reason: StreamEnd) {
        guard isReceiving || phase.isIdle else { return }
        let end = end
        flushHeld()
        guard isReceiving || phase.isIdle else { return }
        close()
        end?(reason)
    }

    /// Delivers what came before the end, even while reading is paused.
    private func flushHeld() {
        guard !held.isEmpty else { return }
        let bytes = held
        held = []
        receive?(bytes.span)
    }

    private func release(_ phase: Phase) {
        self.phase = phase
        timer?.cancel()
        timer = nil
        pending = PlaintextQueue()
        held = []
        receive = nil
        end = nil
        onDrain = nil
    }
}

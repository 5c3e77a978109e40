internal import ExternalTermFormat
internal import Transport

/// One connection to a node: a byte stream that carries the handshake first, then frames both ways
/// and ticks.
///
/// It belongs to one ``Node`` and is used in that actor's isolation only. It knows no other
/// connections: it asks its owner about them by ``Event/applicant(_:)``.
final class Connection {
    enum Event {
        /// A node wants to connect. The owner answers by ``Connection/decide(_:)``, now or later.
        case applicant(ServerHandshake.Applicant)
        case connected(PeerNode)
        case received(ControlMessage)
        /// The answer to a call that ``Connection/callFrames`` has recognised.
        case answered(CallFrames.Answer)
        /// Nothing has come for a while. The owner sends something that the peer answers.
        case quiet
        /// The number of bytes kept for this peer has changed much.
        case holding(byteCount: Int)
        /// The last event; never after ``Connection/close()``.
        case ended(Ending)
    }

    enum Ending: Equatable {
        case handshake(HandshakeError)
        case disconnected(DisconnectReason)
    }

    struct Limits: Sendable {
        /// The time from the connection to the end of the handshake. Source: `net_setuptime`,
        /// kernel(6).
        var handshakeDeadline: Duration = .seconds(7)
        var tickTime: Duration = .seconds(60)
        var frameByteCount = 64 << 20
        var terms = DecodingLimits.distribution
        /// How many bytes of messages one turn of the loop handles for this peer. Each message
        /// counts as ``messageCost`` bytes more.
        var turnCost = 512 << 10
        var messageCost = 256
        /// Bytes that may wait to be sent before a message is refused.
        var queuedByteCount = 64 << 20
        /// When so many bytes wait, senders wait too. Source: `+zdbbl` in erl(1).
        var busyByteCount = 1 << 20
        var fragments = FragmentAssembly.Limits()
    }

    /// The handshake of the side that we are on.
    enum Handshake {
        case client(ClientHandshake)
        case server(ServerHandshake)
    }

    private struct Established {
        var frames: FrameDecoder
        var decoder: MessageDecoder
        var encoder: MessageEncoder
        var ticks: TickClock

        var heldByteCount: Int { frames.heldByteCount + decoder.heldByteCount }
    }

    private enum Phase {
        case idle(Handshake)
        case shakingHands(Handshake, HandshakePacketDecoder)
        case established
        case ended
    }

    /// Small messages leave together in system calls of about this size.
    private static let flushedByteCount = 64 << 10

    /// So many bytes at once may be a part of more.
    private static let partByteCount = 4 << 10

    private let stream: any ByteStream
    private let loop: EventLoop
    private let limits: Limits
    private var phase: Phase
    /// Exists in ``Phase/established`` only. It is not part of the phase, so that it can be changed
    /// in place.
    private var established: Established?
    /// Recognises answers to calls in the bytes of frames.
    var callFrames: CallFrames?
    /// Whether the last frame was a tick.
    private var endsWithTick = false
    /// The cost of the work done for this peer in the turn ``spentTurn`` of the loop.
    private var spentCost = 0
    private var spentTurn: UInt64 = 0
    /// Bytes that wait for the next turn, while reading is paused.
    private var waiting: [UInt8] = []
    private var isWaiting = false
    /// What the last ``Event/holding(byteCount:)`` said.
    private var toldByteCount = 0
    private var isTelling = false
    private var timer: LoopTimer?
    private var handle: ((Event) -> Void)?
    /// How many bytes the message of the last ``Event/received(_:)`` took on the wire, all
    /// fragments included.
    var messageByteCount: Int { established?.decoder.messageByteCount ?? 0 }

    init(stream: any ByteStream, loop: EventLoop, handshake: Handshake, limits: Limits) {
        self.stream = stream
        self.loop = loop
        self.limits = limits
        phase = .idle(handshake)
    }

    /// The other side's address, for logs.
    var peerAddress: SocketAddress { stream.peerAddress }
    /// What the peer has shown; `nil` without TLS, and if it has shown none.
    var peerCertificate: TLSCertificate? { (stream as? TLSStream)?.session?.peerCertificate }

    // MARK: Life

    /// Begins the handshake. `lengthWidth` is two bytes over TCP, four over TLS.
    func start(
        lengthWidth: HandshakePacketDecoder.LengthWidth = .twoBytes,
        handle: @escaping (Event) -> Void
    ) {
        guard case .idle(let handshake) = phase else { preconditionFailure("Started once") }
        self.handle = handle
        phase = .shakingHands(handshake, HandshakePacketDecoder(width: lengthWidth))
        timer = loop.schedule(after: limits.handshakeDeadline) { [weak self] in
            self?.end(.handshake(.timedOut))
        }
        stream.start(
            receive: { [weak self] bytes in self?.receive(bytes) },
            end: { [weak self] reason in self?.streamEnded(reason) })
        if case .client(var client) = handshake {
            let actions = client.start()
            phase = .shakingHands(.client(client), HandshakePacketDecoder(width: lengthWidth))
            for action in actions { perform(action, lengthWidth) }
            loop.expectAnswer()
        }
    }

    /// Sets who hears of events from now on.
    func setHandler(_ handle: @escaping (Event) -> Void) {
        self.handle = handle
    }

    /// Ends the connection without an event.
    func close() {
        if case .ended = phase { return }
        release()
        stream.close()
    }

    private func release() {
        phase = .ended
        established = nil
        waiting = []
        handle = nil
        timer?.cancel()
        timer = nil
    }

    private func end(_ ending: Ending) {
        let handle = handle
        close()
        handle?(.ended(ending))
    }

    private func streamEnded(_ reason: StreamEnd) {
        switch phase {
        case .shakingHands(.client(let client), _):
            end(.handshake(client.meaningOfEnd(reason.description)))
        case .shakingHands(.server(let server), _):
            switch reason {
            case .closedByPeer, .tls(.closedWithoutNotice):
                end(.handshake(server.meaningOfEnd(reason.description)))
            case .failed, .sendQueueFull, .sendTimedOut, .tls:
                end(.handshake(.connectionClosed(reason.description)))
            }
        case .idle:
            end(.handshake(.connectionClosed(reason.description)))
        case .established:
            switch reason {
            case .closedByPeer: end(.disconnected(.closedByPeer))
            case .failed(let error): end(.disconnected(.failed(error.description)))
            case .sendQueueFull:
                end(.disconnected(.queueFull(byteCount: limits.queuedByteCount)))
            case .sendTimedOut: end(.disconnected(.notReading))
            // A node that crashes, and an OTP node that halts, ends the stream without closing TLS.
            case .tls(.closedWithoutNotice): end(.disconnected(.closedByPeer))
            case .tls(let error): end(.disconnected(.failed(error.description)))
            }
        case .ended: return
        }
    }

    // MARK: Receiving

    private func receive(_ bytes: borrowing Span<UInt8>) {
        if established != nil {
            endsWithTick = false
            receiveFrames(bytes)
            // After the frames: what they have made us send is an answer already.
            let mayBeMore = isWaiting || bytes.count >= Self.partByteCount
            if established?.ticks.received(
                isTick: endsWithTick, mayBeMore: mayBeMore, now: .now) == true
            {
                stream.send(MessageEncoder.tick)
            }
            tellIfHoldingChanged()
            return
        }
        guard case .shakingHands(let handshake, var packets) = phase else { return }
        packets.append(bytes)
        phase = .shakingHands(handshake, packets)
        receivePackets()
    }

    private func receivePackets() {
        while case .shakingHands(let handshake, var packets) = phase {
            do throws(HandshakeError) {
                guard let message = try packets.next() else { return loop.expectAnswer() }
                switch handshake {
                case .client(var client):
                    let actions = client.receive(message)
                    phase = .shakingHands(.client(client), packets)
                    for action in actions { perform(action, packets.width) }
                case .server(var server):
                    let actions = server.receive(message)
                    phase = .shakingHands(.server(server), packets)
                    for action in actions { perform(action, packets.width) }
                }
            } catch {
                end(.handshake(error))
            }
        }
    }

    private func perform(
        _ action: ClientHandshake.Action, _ width: HandshakePacketDecoder.LengthWidth
    ) {
        switch action {
        case .send(let message): sendPacket(message, width)
        case .complete(let peer): establish(peer)
        case .fail(let error): end(.handshake(error))
        }
    }

    private func perform(
        _ action: ServerHandshake.Action, _ width: HandshakePacketDecoder.LengthWidth
    ) {
        switch action {
        case .send(let message): sendPacket(message, width)
        case .decide(let applicant): handle?(.applicant(applicant))
        case .complete(let peer): establish(peer)
        case .fail(let error):
            // What was just said (`not_allowed`, `nok`) must still reach the peer.
            let handle = handle
            release()
            stream.finish()
            handle?(.ended(.handshake(error)))
        }
    }

    /// The answer to ``Event/applicant(_:)``.
    func decide(_ decision: ServerHandshake.Decision) {
        guard case .shakingHands(.server(var server), let packets) = phase else { return }
        let actions = server.decide(decision)
        phase = .shakingHands(.server(server), packets)
        for action in actions { perform(action, packets.width) }
    }

    private func sendPacket(
        _ message: [UInt8], _ width: HandshakePacketDecoder.LengthWidth
    ) {
        stream.send(HandshakePacketDecoder.framed(message, width: width))
    }

    private func establish(_ peer: PeerNode) {
        guard case .shakingHands(_, var packets) = phase else { return }
        phase = .established
        timer?.cancel()
        established = Established(
            frames: FrameDecoder(maximumByteCount: limits.frameByteCount),
            decoder: MessageDecoder(
                form: .init(peer.flags), fragmentLimits: limits.fragments,
                termLimits: limits.terms),
            encoder: MessageEncoder(flags: peer.flags),
            ticks: TickClock(time: limits.tickTime, now: .now))
        let remainder = packets.takeRemainder()
        scheduleTick()
        handle?(.connected(peer))
        receiveFrames(remainder.span)
    }

    private func receiveFrames(_ bytes: Span<UInt8>) {
        var position = 0
        do throws(ProtocolViolation) {
            while hasTurn, let frame = try established?.frames.next(in: bytes, at: &position) {
                switch frame {
                case .inPlace(let range): try receive(frame: bytes.extracting(range), nil)
                case .joined(let joined): try receive(frame: joined.span, joined)
                }
            }
        } catch {
            return end(.disconnected(.violation(error)))
        }
        if position < bytes.count, established != nil {
            waitForTurn(bytes.extracting(position...))
        }
    }

    // MARK: Turns

    /// Whether this turn of the loop may do more for this peer.
    private var hasTurn: Bool {
        if spentTurn != loop.turn {
            spentTurn = loop.turn
            spentCost = 0
        }
        return spentCost < limits.turnCost
    }

    /// Counts work that a message has caused, in bytes that were made for it.
    func spend(_ byteCount: Int) {
        spentCost += byteCount
    }

    private func waitForTurn(_ rest: Span<UInt8>) {
        waiting.append(rest)
        guard !isWaiting else { return }
        isWaiting = true
        stream.isReadingPaused = true
        loop.schedule(after: .zero) { [weak self] in self?.takeTurn() }
    }

    private func takeTurn() {
        isWaiting = false
        guard established != nil else { return }
        let bytes = waiting
        waiting = []
        receiveFrames(bytes.span)
        if !isWaiting, established != nil { stream.isReadingPaused = false }
        tellIfHoldingChanged()
    }

    // MARK: What is kept

    private static let toldDifference = 64 << 10

    private var heldByteCount: Int {
        (established?.heldByteCount ?? 0) + waiting.count + stream.queuedByteCount
    }

    /// Tells the owner later, not during the owner's own call: the owner may close this connection
    /// or another one.
    private func tellIfHoldingChanged() {
        guard !isTelling, abs(heldByteCount - toldByteCount) >= Self.toldDifference else { return }
        isTelling = true
        loop.schedule(after: .zero) { [weak self] in self?.tell() }
    }

    private func tell() {
        isTelling = false
        guard established != nil else { return }
        toldByteCount = heldByteCount
        handle?(.holding(byteCount: toldByteCount))
        tellIfHoldingChanged()
    }

    private func receive(
        frame: Span<UInt8>, _ owner: [UInt8]?
    ) throws(ProtocolViolation) {
        spend(limits.messageCost)
        endsWithTick = frame.isEmpty
        if frame.isEmpty { return }
        if let answer = callFrames?.answer(
            in: frame, sharing: owner, limits: limits.terms)
        {
            spend(frame.count)
            handle?(.answered(answer))
        } else if let message = try established?.decoder.decode(frame, sharing: owner, now: .now) {
            spend(messageByteCount)
            handle?(.received(message))
        }
    }

    // MARK: Sending

    /// Queues a message. A peer that fails to read for too long loses the connection.
    func send(_ message: ControlMessage) {
        guard let frames = established?.encoder.frames(of: message) else { return }
        send(frames)
    }

    /// Queues a message. When too much waits already it queues nothing and returns `false`.
    func sendIfRoom(_ message: ControlMessage) -> Bool {
        guard let frames = established?.encoder.frames(of: message) else { return false }
        guard stream.queuedByteCount + frames.byteCount <= limits.queuedByteCount else {
            return false
        }
        send(frames)
        return true
    }

    private func send(_ frames: MessageEncoder.Frames) {
        established?.ticks.bytesSent()
        stream.send(frames.head)
        for part in frames.rest { stream.send(part) }
        tellIfHoldingChanged()
    }

    /// The same for a frame of ``CallFrames``.
    func sendIfRoom(frame bytes: [UInt8]) -> Bool {
        guard established != nil,
            stream.queuedByteCount + bytes.count <= limits.queuedByteCount
        else { return false }
        established?.ticks.bytesSent()
        stream.send(bytes)
        tellIfHoldingChanged()
        return true
    }

    /// What a sender that can wait should do next.
    enum Pressure {
        case none
        /// A part has just left: let others have their turn.
        case yield
        /// Wait until what is queued has left; see ``Connection/whenSent(_:)``.
        case wait
    }

    /// Whether so much waits to be sent that whoever can wait should.
    var isBusy: Bool { stream.queuedByteCount >= limits.busyByteCount }

    /// How many bytes may wait to be sent; `nil` when the connection has ended.
    var queueLimit: Int? { established == nil ? nil : limits.queuedByteCount }

    /// Hands queued bytes to the kernel when they are worth a system call. This may end the
    /// connection.
    func relieve() -> Pressure {
        let before = stream.queuedByteCount
        guard before >= Self.flushedByteCount else { return .none }
        stream.flush()
        let after = stream.queuedByteCount
        if isBusy { return .wait }
        return after < before ? .yield : .none
    }

    /// Calls `body` once, when the kernel has taken all queued bytes; never after the connection's
    /// end.
    func whenSent(_ body: @escaping () -> Void) {
        stream.onDrain = { [weak self] in
            self?.stream.onDrain = nil
            body()
        }
    }

    private func scheduleTick() {
        guard let time = established?.ticks.nextCheck else { return }
        timer = loop.schedule(at: time) { [weak self] in self?.checkTicks() }
    }

    private func checkTicks() {
        let now = MonotonicTime.now
        guard let action = established?.ticks.check(now: now) else { return }
        do throws(ProtocolViolation) {
            try established?.decoder.check(now: now)
        } catch {
            return end(.disconnected(.violation(error)))
        }
        switch action {
        case .none: break
        case .sendTick: stream.send(MessageEncoder.tick)
        case .sendProbe:
            // C and Java nodes answer a tick with a tick.
            stream.send(MessageEncoder.tick)
            handle?(.quiet)
        case .giveUp: return end(.disconnected(.silent(limits.tickTime)))
        }
        scheduleTick()
    }
}

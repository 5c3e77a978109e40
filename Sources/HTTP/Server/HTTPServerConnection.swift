internal import Transport

/// Writes the content of one answer whose length is not known beforehand.
package struct HTTPContentWriter: Sendable {
    let connection: HTTPServerConnection

    /// Sends bytes, and returns once so much has left that more may be sent.
    /// - Returns: `false` when the client has gone.
    @discardableResult
    package func write(_ bytes: [UInt8]) async -> Bool { await connection.write(bytes) }

    /// Ends the connection at once, for a client that does not take what it is sent.
    package func close() async { await connection.close() }
}

/// One connection of a server.
actor HTTPServerConnection {
    private nonisolated let loop: EventLoop
    private let stream: any ByteStream
    private let isSecure: Bool
    private let handler: HTTPServer.Handler
    private let ended: @Sendable () -> Void
    private var machine: HTTPServerMachine
    private var timer: LoopTimer?
    private var task: Task<Void, Never>?
    private var isClosed = false
    /// Whether the answer's end has been queued.
    private var isAnswerQueued = false
    private var isChunked = false
    private var drainWaiter: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// So much of a stream waits for a client at most, beside what the kernel holds.
    private static let queuedByteCount = 256 << 10
    /// A client must take an answer at this rate at least, after a minute.
    private static let bytesPerSecond = 4 << 10

    init(
        _ stream: any ByteStream, isSecure: Bool, loop: EventLoop,
        limits: HTTPServerMachine.Limits, handler: @escaping HTTPServer.Handler,
        ended: @escaping @Sendable () -> Void
    ) {
        self.stream = stream
        self.isSecure = isSecure
        self.loop = loop
        self.handler = handler
        self.ended = ended
        machine = HTTPServerMachine(limits: limits)
    }

    func start() {
        stream.onDrain = { self.assumeIsolated { $0.drained() } }
        stream.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { $0.perform($0.machine.received(copy)) }
            },
            end: { _ in self.assumeIsolated { $0.hasEnded() } })
        perform(machine.opened())
    }

    /// Ends the connection now.
    func close() {
        guard !isClosed else { return }
        stream.close()
        hasEnded()
    }

    private func hasEnded() {
        guard !isClosed else { return }
        isClosed = true
        timer?.cancel()
        task?.cancel()
        stream.onDrain = nil
        resumeWriter()
        ended()
    }

    private func perform(_ actions: [HTTPServerMachine.Action]) {
        for action in actions {
            guard !isClosed else { return }
            switch action {
            case .answer(let head, let content, let closes): answer(head, content, closes: closes)
            case .askForContent: stream.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
            case .refuse(let error): send(.refusal(error), answering: nil, closes: true)
            case .pauseReading: stream.isReadingPaused = true
            case .resumeReading: stream.isReadingPaused = false
            case .timer(let duration): set(duration)
            case .finish:
                stream.onDrain = nil
                stream.finish()
                hasEnded()
            case .close: close()
            }
        }
    }

    private func set(_ duration: Duration?) {
        timer?.cancel()
        timer = duration.map { duration in
            loop.schedule(after: duration) { [self] in
                assumeIsolated { $0.perform($0.machine.timedOut()) }
            }
        }
    }

    // MARK: Answering

    private func answer(_ head: HTTPRequestHead, _ content: [UInt8], closes: Bool) {
        let request = HTTPServerRequest(
            head: head, content: content, peer: stream.peerAddress, isSecure: isSecure)
        isAnswerQueued = false
        task = Task(executorPreference: loop) { [handler] in
            let response = await handler(request)
            await self.respond(response, to: head, closes: closes)
        }
    }

    private func respond(
        _ response: HTTPServerResponse, to head: HTTPRequestHead, closes: Bool
    ) async {
        guard !isClosed else { return }
        let isStreamToEnd: Bool
        if case .stream = response.content {
            isStreamToEnd = !response.isChunked(answering: head)
        } else {
            isStreamToEnd = false
        }
        let closes = closes || response.closesConnection || isStreamToEnd
        if closes { machine.closesAfterAnswer() }
        send(response, answering: head, closes: closes)
        if case .stream(let produce) = response.content, response.hasContent(answering: head) {
            isChunked = response.isChunked(answering: head)
            await produce(HTTPContentWriter(connection: self))
            guard !isClosed else { return }
            if isChunked { stream.send(Array("0\r\n\r\n".utf8)) }
        }
        isAnswerQueued = true
        if stream.queuedByteCount == 0 { drained() }
    }

    private func send(
        _ response: HTTPServerResponse, answering head: HTTPRequestHead?, closes: Bool
    ) {
        stream.send(
            response.encodedHead(
                answering: head, closes: closes, date: HTTPDate.now))
        guard case .bytes(let bytes) = response.content else { return }
        if head != nil { set(.seconds(60 + bytes.count / Self.bytesPerSecond)) }
        if response.hasContent(answering: head) { stream.send(bytes) }
    }

    fileprivate func write(_ bytes: [UInt8]) async -> Bool {
        // An empty chunk would end the content.
        guard !isClosed, !bytes.isEmpty else { return !isClosed }
        if isChunked { stream.send(Array((String(bytes.count, radix: 16) + "\r\n").utf8)) }
        stream.send(bytes)
        if isChunked { stream.send(Array("\r\n".utf8)) }
        if stream.queuedByteCount > Self.queuedByteCount {
            await withCheckedContinuation { drainWaiter = $0 }
        }
        return !isClosed
    }

    private func drained() {
        resumeWriter()
        guard isAnswerQueued, !isClosed else { return }
        isAnswerQueued = false
        perform(machine.answered())
    }

    private func resumeWriter() {
        drainWaiter?.resume()
        drainWaiter = nil
    }
}

internal import Glibc
internal import Transport

/// What becomes of the content of a response.
enum HTTPSink: Sendable {
    case dropped
    case collected(limit: Int)
    /// Wanted content is written off the loop, part by part; other content is collected.
    case written(HTTPDownload, collectedLimit: Int)
}

/// One request and its response on a connection of its own.
actor HTTPCall {
    struct Outcome: Sendable {
        var head: HTTPResponseHead
        var content: [UInt8]
        var isWhole: Bool
    }

    private let loop: EventLoop
    private let attempt: String
    private let sink: HTTPSink
    private let deadline: Duration
    private let idle: Duration?
    private let sent: (@Sendable (Int64) -> Void)?
    private var machine: HTTPResponseMachine
    private var stream: (any ByteStream)?
    private var timer: LoopTimer?
    private var idleTimer: LoopTimer?
    private var lastHeard = MonotonicTime.now
    /// Of the content; some of it may wait for the peer.
    private var sentByteCount = 0
    private var lastQueuedByteCount = 0
    private var outcome: Result<Outcome, HTTPError>?
    private var waiter: CheckedContinuation<Void, Never>?
    private var drainWaiter: CheckedContinuation<Void, Never>?

    private var collected: [UInt8] = []
    private var isWanted: Bool?
    /// Content that waits for the disk.
    private var unwritten: [UInt8] = []
    private var isWriting = false
    private var writeFailed = false

    /// How much content may wait for the disk before reading is paused.
    private static let unwrittenByteCount = 1 << 20
    private static let sentPartByteCount = 256 << 10

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        _ attempt: String, method: String, limits: HTTPLimits, sink: HTTPSink, deadline: Duration,
        idle: Duration? = nil, loop: EventLoop, sent: (@Sendable (Int64) -> Void)? = nil
    ) {
        self.attempt = attempt
        self.sink = sink
        self.deadline = deadline
        self.idle = idle
        self.sent = sent
        self.loop = loop
        var limits = limits
        switch sink {
        case .dropped: break
        case .collected(let limit): limits.bodyByteCount = limit + 1
        case .written(let download, let limit):
            limits.bodyByteCount = max(download.byteLimit, limit) + 1
        }
        machine = HTTPResponseMachine(limits: limits, answers: method)
    }

    /// The response. The deadline covers connecting and answering together.
    func run(
        head: [UInt8], content: HTTPRequest.Content,
        connect: @escaping @Sendable () async throws -> any ByteStream
    ) async throws(HTTPError) -> Outcome {
        timer = loop.schedule(after: deadline) { [self] in assumeIsolated { $0.timedOut() } }
        await withTaskCancellationHandler {
            // This is not awaited: a cancelled caller need not wait for connect(2) or a resolver.
            Task { await begin(head, content, connect) }
            await withCheckedContinuation {
                // Looked at here, as something else may run before this closure does.
                if outcome == nil || isWriting { waiter = $0 } else { $0.resume() }
            }
        } onCancel: {
            Task { await self.cancel() }
        }
        guard let outcome else { preconditionFailure("A call waits for its outcome") }
        return try outcome.get()
    }

    // MARK: Sending

    private func begin(
        _ head: [UInt8], _ content: HTTPRequest.Content,
        _ connect: @Sendable () async throws -> any ByteStream
    ) async {
        guard outcome == nil else { return }
        do {
            let stream = try await connect()
            guard outcome == nil else { return stream.close() }
            self.stream = stream
        } catch {
            return end(
                .failure(
                    .unreachable(attempt: attempt, reason: HTTPConnector.reason(error))))
        }
        stream?.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes)
                self.assumeIsolated { $0.received(copy) }
            },
            end: { reason in self.assumeIsolated { $0.ended(reason) } })
        stream?.onDrain = { self.assumeIsolated { $0.drained() } }
        stream?.send(head)
        lastHeard = .now
        if idle != nil { watchForSilence() }
        switch content {
        case .none: break
        case .bytes(let bytes): stream?.send(bytes)
        case .file(let path, let offset, let count): await sendFile(path, offset, count)
        }
        loop.expectAnswer()
    }

    private func sendFile(_ path: String, _ offset: Int, _ count: Int) async {
        while sentByteCount < count, outcome == nil {
            let start = offset + sentByteCount
            let length = min(Self.sentPartByteCount, count - sentByteCount)
            do throws(SystemError) {
                let part = try await offload { () throws(SystemError) in
                    try Self.part(of: path, start, length)
                }
                guard outcome == nil, let stream else { return }
                guard !part.isEmpty else {
                    return end(
                        .failure(.unusable(attempt: attempt, reason: "\(path) became shorter")))
                }
                stream.send(part)
                sentByteCount += part.count
                lastHeard = .now
                tellSent()
            } catch {
                return end(.failure(.unusable(attempt: attempt, reason: "\(error)")))
            }
            while isSendingBehind {
                await withCheckedContinuation {
                    if isSendingBehind { drainWaiter = $0 } else { $0.resume() }
                }
            }
        }
    }

    private func tellSent() {
        guard outcome == nil, let stream else { return }
        sent?(Int64(max(0, sentByteCount - stream.queuedByteCount)))
    }

    /// Whether the peer has much to take still.
    private var isSendingBehind: Bool {
        guard outcome == nil, let stream else { return false }
        return stream.queuedByteCount > Self.sentPartByteCount
    }

    private static func part(
        of path: String, _ offset: Int, _ count: Int
    ) throws(SystemError) -> [UInt8] {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw .last("opening \(path)") }
        let file = FileDescriptor(owning: raw)
        guard lseek(file.raw, off_t(offset), SEEK_SET) >= 0 else { throw .last("reading \(path)") }
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try file.read(into: &bytes, "reading \(path)")
        return Array(bytes.prefix(read))
    }

    private func drained() {
        lastHeard = .now
        tellSent()
        drainWaiter.take()?.resume()
    }

    // MARK: Receiving

    private func received(_ bytes: [UInt8]) {
        guard outcome == nil else { return }
        lastHeard = .now
        var content: [UInt8] = []
        let action = machine.received(bytes) { content += $0 }
        take(action, content)
    }

    private func ended(_ reason: StreamEnd) {
        guard outcome == nil else { return }
        // A server may reset the connection after it has answered. Only an orderly end can be the
        // end of content that has no other.
        if reason == .closedByPeer || machine.head != nil {
            let action = machine.connectionClosed()
            if case .complete(let head) = action, reason != .closedByPeer {
                return take(.completeWithoutEnd(head), [])
            }
            return take(action, [])
        }
        end(.failure(.unreachable(attempt: attempt, reason: reason.reason)))
    }

    private func take(_ action: HTTPResponseMachine.Action, _ content: [UInt8]) {
        let head: HTTPResponseHead
        switch action {
        case .fail(let error):
            return end(.failure(.badResponse(attempt: attempt, error)))
        case .wait:
            guard let begun = machine.head else { return }
            head = begun
        case .complete(let whole), .completeWithoutEnd(let whole): head = whole
        }
        deliver(content, of: head)
        guard outcome == nil else { return }
        switch action {
        case .complete: end(.success(.init(head: head, content: collected, isWhole: true)))
        case .completeWithoutEnd: endWithoutEnd(head)
        case .wait, .fail: break
        }
    }

    private func deliver(_ content: [UInt8], of head: HTTPResponseHead) {
        switch sink {
        case .dropped: break
        case .collected(let limit): collect(content, limit)
        case .written(let download, let limit):
            let isWanted = isWanted ?? download.isWanted(head)
            self.isWanted = isWanted
            guard isWanted else { return collect(content, limit) }
            unwritten += content
            if unwritten.count > Self.unwrittenByteCount { stream?.isReadingPaused = true }
            writeNext()
        }
    }

    private func collect(_ content: [UInt8], _ limit: Int) {
        collected += content
        guard collected.count > limit else { return }
        end(.failure(.badResponse(attempt: attempt, .contentTooLong(limit: limit))))
    }

    private func endWithoutEnd(_ head: HTTPResponseHead) {
        if case .dropped = sink {
            end(.success(.init(head: head, content: [], isWhole: false)))
        } else {
            end(
                .failure(
                    .badResponse(
                        attempt: attempt, machine.problem ?? .truncated("its content"))))
        }
    }

    // MARK: Writing

    private func writeNext() {
        guard case .written(let download, _) = sink, !isWriting, !unwritten.isEmpty, !writeFailed
        else { return }
        isWriting = true
        let bytes = unwritten
        unwritten = []
        Task {
            written(await offload { download.write(bytes) })
        }
    }

    private func written(_ result: Result<Void, SystemError>) {
        isWriting = false
        lastHeard = .now
        if case .failure(let error) = result {
            writeFailed = true
            outcome = nil
            return end(.failure(.notWritten(attempt: attempt, error)))
        }
        if outcome != nil { return settle() }
        stream?.isReadingPaused = false
        writeNext()
    }

    // MARK: Ending

    private func watchForSilence() {
        guard let idle, outcome == nil else { return }
        // Who takes slowly what we send is not silent.
        let queued = stream?.queuedByteCount ?? 0
        if queued != lastQueuedByteCount { lastHeard = .now }
        lastQueuedByteCount = queued
        let silence = MonotonicTime.now - lastHeard
        // While this side's disk is slow the server is not to blame.
        if silence >= idle, !isWriting {
            return end(.failure(.stalled(attempt: attempt, after: idle)))
        }
        idleTimer = loop.schedule(after: max(idle - silence, .milliseconds(10))) { [self] in
            assumeIsolated { $0.watchForSilence() }
        }
    }

    private func timedOut() {
        if case .dropped = sink, let head = machine.head {
            end(.success(.init(head: head, content: [], isWhole: false)))
        } else {
            end(.failure(.timedOut(attempt: attempt, after: deadline)))
        }
    }

    private func cancel() {
        end(.failure(.stopped(attempt: attempt)))
    }

    private func end(_ outcome: Result<Outcome, HTTPError>) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        timer?.cancel()
        idleTimer?.cancel()
        stream?.close()
        stream = nil
        drainWaiter.take()?.resume()
        settle()
    }

    /// What has come is written before the caller hears the outcome, and nothing afterwards.
    private func settle() {
        writeNext()
        guard !isWriting else { return }
        waiter.take()?.resume()
    }
}

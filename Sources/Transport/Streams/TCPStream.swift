internal import CLinux
internal import Glibc

/// A connected TCP socket on an event loop. See ``ByteStream`` for the contract.
///
/// The invariant behind `@unchecked Sendable`: everything is used on the loop's thread only.
package final class TCPStream: ByteStream, FlushedStream, @unchecked Sendable {
    package let peerAddress: SocketAddress
    package var onDrain: (() -> Void)?
    package private(set) var queuedByteCount = 0
    /// Called before the kernel gets queued bytes, so that a layer above can add its own.
    var willFlush: (() -> Void)?

    private let loop: EventLoop
    private let limits: StreamLimits
    private let raw: Int32
    private var descriptor: FileDescriptor?
    private var token: EventLoop.WatchToken?
    private var receive: ((borrowing Span<UInt8>) -> Void)?
    private var end: ((StreamEnd) -> Void)?

    /// Whole chunks in order; small sends are joined. The first `sentOfFirst` bytes of the first
    /// chunk have left.
    private var chunks: [ArraySlice<UInt8>] = []
    private var sentOfFirst = 0
    private var isFlushScheduled = false
    private var isWaitingForSpace = false
    private var isFinishing = false
    private var sendTimer: LoopTimer?

    /// Small sends are joined into chunks of about this size: one system call for many messages.
    private static let joinedByteCount = 64 << 10

    /// Enough for a message of 1 MiB in fragments.
    private static let chunksPerCall = 64

    /// - Parameter peerAddress: the other side's address, if it is known already.
    init(
        owning descriptor: consuming FileDescriptor, peerAddress: SocketAddress? = nil,
        loop: EventLoop, limits: StreamLimits
    ) {
        self.loop = loop
        self.limits = limits
        raw = descriptor.raw
        // A peer that is gone already has no address. The stream then ends at the first read.
        self.peerAddress =
            peerAddress ?? SocketAddress(of: descriptor.raw, getpeername) ?? .any(port: 0)
        self.descriptor = consume descriptor
        // Distribution messages are small, and somebody waits for them: never hold one back
        // (tcp(7)).
        var one: Int32 = 1
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        setsockopt(raw, SOL_SOCKET, SO_KEEPALIVE, &one, 4)
    }

    /// This side's address, as long as the stream is open.
    package var localAddress: SocketAddress {
        (descriptor == nil ? nil : SocketAddress(of: raw, getsockname)) ?? .any(port: 0)
    }

    // MARK: Connecting

    /// Connects to `address`, giving up after `timeout`.
    package static func connect(
        to address: SocketAddress, timeout: Duration, on loop: EventLoop,
        limits: StreamLimits = StreamLimits()
    ) async throws -> TCPStream {
        try await withUnsafeThrowingContinuation { continuation in
            let pending = PendingConnect(to: address, on: loop, limits: limits, continuation)
            if loop.isCurrent {
                pending.start(timeout: timeout)
            } else {
                loop.execute { pending.start(timeout: timeout) }
            }
        }
    }

    // MARK: Reading

    package func start(
        receive: @escaping (borrowing Span<UInt8>) -> Void, end: @escaping (StreamEnd) -> Void
    ) {
        precondition(token == nil && descriptor != nil, "A stream starts once")
        self.receive = receive
        self.end = end
        do throws(SystemError) {
            token = try loop.watch(raw, for: interest) { [self] readiness in ready(readiness) }
        } catch {
            // Not during start(), because the owner has not returned from it yet.
            loop.schedule(after: .zero) { [self] in finish(with: .failed(error)) }
        }
    }

    package var isReadingPaused = false {
        didSet { if isReadingPaused != oldValue { updateInterest() } }
    }

    private func ready(_ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable) { flush() }
        guard token != nil else { return }
        // read(2) reports a hang-up or an error after the bytes that are still in the buffer.
        if !isReadingPaused, !readiness.isDisjoint(with: [.readable, .hangup, .error]) {
            // After 256 KiB others get their turn.
            var rounds = 0
            repeat { rounds += 1 } while readOnce() && rounds < 4 && canRead
        }
        // While reading is paused the end of the stream waits too, after the bytes that are still
        // in the buffer.
    }

    private var canRead: Bool { token != nil && !isReadingPaused }

    /// - Returns: whether the read filled the buffer, so that there may be more.
    @discardableResult
    private func readOnce() -> Bool {
        let buffer = loop.readBuffer
        let count = read(raw, buffer.baseAddress, buffer.count)
        if count > 0 {
            loop.inflow.received(byteCount: count)
            guard let receive else { return false }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            loop.isHandingOn = true
            bytes.withMemoryRebound(to: UInt8.self) { receive(Span(_unsafeElements: $0)) }
            loop.isHandingOn = false
        } else if count == 0 {
            finish(with: .closedByPeer)
        } else {
            let code = clinux_errno()
            if code == EAGAIN || code == EINTR { return false }
            finish(with: .failed(SystemError("reading from \(peerAddress)", code: code)))
        }
        return count == buffer.count
    }

    // MARK: Writing

    package func send(_ bytes: ArraySlice<UInt8>) {
        guard descriptor != nil, !bytes.isEmpty, !isFinishing else { return }
        queuedByteCount += bytes.count
        if let last = chunks.indices.last,
            chunks[last].count + bytes.count <= Self.joinedByteCount
        {
            chunks[last].append(contentsOf: bytes)
        } else {
            chunks.append(bytes)
        }
        if queuedByteCount > limits.queuedByteCount {
            loop.schedule(after: .zero) { [self] in finish(with: .sendQueueFull) }
            isFinishing = true
            return
        }
        scheduleFlush()
    }

    /// Schedules a flush before the loop waits, or later if the kernel takes no more at present.
    func scheduleFlush() {
        guard descriptor != nil, !isWaitingForSpace, !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.flushBeforeWaiting(self)
    }

    package func flush() {
        // The flush still counts as scheduled here, so that what the layer above sends does not
        // schedule another.
        willFlush?()
        isFlushScheduled = false
        guard descriptor != nil else { return }
        var flushedChunks = 0
        var isBlocked = false
        while flushedChunks < chunks.count, !isBlocked {
            var sent = sendChunks(from: flushedChunks)
            if sent < 0 {
                let code = clinux_errno()
                if code == EINTR { continue }
                guard code == EAGAIN else {
                    return failAfterReading(SystemError("writing to \(peerAddress)", code: code))
                }
                isBlocked = true
            } else {
                loop.inflow.sent()
                queuedByteCount -= sent
                cancelSendTimer()
                while flushedChunks < chunks.count {
                    let rest = chunks[flushedChunks].count - sentOfFirst
                    guard sent >= rest else { break }
                    sent -= rest
                    sentOfFirst = 0
                    flushedChunks += 1
                }
                sentOfFirst += sent
            }
        }
        if flushedChunks == chunks.count {
            chunks.removeAll(keepingCapacity: chunks.count < 16)
        } else {
            chunks.removeFirst(flushedChunks)
        }
        if isBlocked != isWaitingForSpace {
            isWaitingForSpace = isBlocked
            updateInterest()
        }
        if isBlocked, sendTimer == nil {
            sendTimer = loop.schedule(after: limits.sendDeadline) { [self] in
                finish(with: .sendTimedOut)
            }
        }
        if chunks.isEmpty {
            if isFinishing { close() } else { onDrain?() }
        }
    }

    /// Hands the kernel as many chunks as fit into one call.
    /// - Returns: how many bytes the kernel has taken; -1 with errno.
    private func sendChunks(from first: Int) -> Int {
        let count = min(chunks.count - first, Self.chunksPerCall)
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            for index in 0..<count {
                // The queue holds the chunks until this returns.
                let bytes = chunks[first + index].withUnsafeBytes { $0 }
                let start = index == 0 ? sentOfFirst : 0
                vectors.initializeElement(
                    at: index,
                    to: iovec(
                        iov_base: UnsafeMutableRawPointer(
                            mutating: bytes.baseAddress?.advanced(by: start)),
                        iov_len: bytes.count - start))
            }
            var message = msghdr()
            message.msg_iov = vectors.baseAddress
            message.msg_iovlen = count
            return sendmsg(raw, &message, Int32(MSG_NOSIGNAL))
        }
    }

    /// Reads before it reports a failed write. A peer that refuses us says why, closes, and resets
    /// what we still send. So its reason may be unread when a write fails.
    private func failAfterReading(_ error: SystemError) {
        // The buffer still contains another stream's bytes, whose owner closes or flushes this one.
        guard !loop.isHandingOn else {
            loop.schedule(after: .zero) { [self] in failAfterReading(error) }
            return
        }
        var rounds = 0
        while canRead, rounds < 64 {
            rounds += 1
            readOnce()
        }
        if descriptor != nil { finish(with: .failed(error)) }
    }

    // MARK: Ending

    package func finish() {
        guard descriptor != nil else { return }
        if chunks.isEmpty { return close() }
        isFinishing = true
        end = nil
        receive = { _ in }
        if token == nil { start(receive: { _ in }, end: { _ in }) }
    }

    /// Ends reading without an end of the stream, so that another owner can start it: TLS after a
    /// proxy's answer. Nothing may be queued.
    package func handOver() {
        precondition(queuedByteCount == 0, "What is queued belongs to the former owner")
        if let token { loop.unwatch(token) }
        token = nil
        receive = nil
        end = nil
        onDrain = nil
    }

    package func close() {
        guard descriptor != nil else { return }
        cancelSendTimer()
        if let token { loop.unwatch(token) }
        token = nil
        descriptor = nil
        chunks = []
        queuedByteCount = 0
        receive = nil
        end = nil
        onDrain = nil
        willFlush = nil
    }

    private func finish(with reason: StreamEnd) {
        let end = end
        close()
        end?(reason)
    }

    private func cancelSendTimer() {
        sendTimer?.cancel()
        sendTimer = nil
    }

    private var interest: EventLoop.Readiness {
        // The kernel always reports a hang-up (epoll_ctl(2)). This way it does so once.
        var interest: EventLoop.Readiness = isReadingPaused ? .onceForEach : .readable
        if isWaitingForSpace { interest.insert(.writable) }
        return interest
    }

    private func updateInterest() {
        if let token { loop.update(token, for: interest) }
    }
}

/// A connect(2) that is under way. Confined to the loop's thread.
private final class PendingConnect: @unchecked Sendable {
    private let address: SocketAddress
    private let loop: EventLoop
    private let limits: StreamLimits
    /// `nil` once it has been resumed.
    private var continuation: UnsafeContinuation<TCPStream, any Error>?
    private var descriptor: FileDescriptor?
    private var token: EventLoop.WatchToken?
    private var timer: LoopTimer?

    init(
        to address: SocketAddress, on loop: EventLoop, limits: StreamLimits,
        _ continuation: UnsafeContinuation<TCPStream, any Error>
    ) {
        self.address = address
        self.loop = loop
        self.limits = limits
        self.continuation = continuation
    }

    private var attempt: String {
        "connecting to \(address)"
    }

    func start(timeout: Duration) {
        let raw = socket(
            address.family,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { return fail(.last(attempt)) }
        descriptor = FileDescriptor(owning: raw)
        if connects(raw) { return succeed() }
        guard clinux_errno() == EINPROGRESS else { return fail(.last(attempt)) }
        // Over loopback the other side has answered by now, and a second call is cheaper than
        // waiting. If there is no answer yet, connect(2) returns EALREADY.
        if connects(raw) { return succeed() }
        guard clinux_errno() == EALREADY else { return fail(.last(attempt)) }
        do throws(SystemError) {
            token = try loop.watch(raw, for: .writable) { [self] _ in finished(raw) }
        } catch {
            return fail(error)
        }
        timer = loop.schedule(after: timeout) { [self] in
            fail(SystemError(attempt, code: ETIMEDOUT))
        }
    }

    private func connects(_ raw: Int32) -> Bool {
        address.withSockAddr { Glibc.connect(raw, $0, $1) } == 0
    }

    private func finished(_ raw: Int32) {
        var code: Int32 = 0
        var length = socklen_t(4)
        getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &length)
        if code == 0 { succeed() } else { fail(SystemError(attempt, code: code)) }
    }

    private func succeed() {
        endWatching()
        guard let descriptor = descriptor.take() else { return }
        continuation?.resume(
            returning: TCPStream(
                owning: descriptor, peerAddress: address, loop: loop, limits: limits))
        continuation = nil
    }

    private func fail(_ error: SystemError) {
        endWatching()
        descriptor = nil
        continuation?.resume(throwing: error)
        continuation = nil
    }

    private func endWatching() {
        timer?.cancel()
        timer = nil
        if let token { loop.unwatch(token) }
        token = nil
    }
}

public import Transport

/// Registers a node with EPMD and keeps it registered until ``stop()``.
///
/// The registration lives as long as its connection. When the daemon goes away, the node tries
/// every 2 s to register again, as OTP's nodes do. Each time it gets a different creation.
///
/// Source: "Register a Node in EPMD", erl_dist_protocol; `erl_epmd.erl`.
public actor EPMDRegistration {
    /// What happens to the registration.
    public enum Event: Equatable, Sendable {
        /// The node is registered, for the first time or again. New pids and references contain
        /// `creation`.
        case registered(creation: UInt32)
        /// The connection to the daemon ended: the node cannot be looked up until the next
        /// ``registered(creation:)``.
        case lost(EPMDError)
        /// An attempt failed. Another one follows, except after ``EPMDRegistration/register()``
        /// before the first success.
        case failed(EPMDError)
    }

    /// The node that is registered.
    public nonisolated let node: EPMDNodeInfo
    /// Where the daemon listens.
    public nonisolated let address: SocketAddress
    private nonisolated let loop: EventLoop
    private let report: @Sendable (Event) -> Void
    private let timeout: Duration
    private let trust: ListenerTrust
    private var machine: RegistrationMachine
    private var stream: TCPStream?
    private var timer: LoopTimer?
    /// Tells the current connection from earlier ones.
    private var connectNumber = 0
    private var waiters: [CheckedContinuation<Result<UInt32, EPMDError>, Never>] = []

    /// The event loop that the registration was given.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// Makes a registration. Nothing happens before ``register()`` or ``start()``.
    /// - Parameters:
    ///   - timeout: The time for one attempt, connecting included.
    ///   - retryDelay: The time between a loss or a failure and the next attempt.
    ///   - trust: The users whose daemon on this host may be registered with.
    ///   - report: Called on the loop's thread, in the order of events.
    /// - Throws: ``EPMDError/badRequest(attempt:_:)`` for a name or an extra that exceeds the
    ///   limits.
    public init(
        _ node: EPMDNodeInfo,
        at address: SocketAddress = .loopback(port: EPMDEnvironment.defaultPort),
        loop: EventLoop, timeout: Duration = .seconds(5), retryDelay: Duration = .seconds(2),
        trust: ListenerTrust = ListenerTrust(),
        report: @escaping @Sendable (Event) -> Void = { _ in }
    ) throws(EPMDError) {
        self.node = node
        self.address = address
        self.loop = loop
        self.timeout = timeout
        self.trust = trust
        self.report = report
        machine = try RegistrationMachine(
            node, at: address, timeout: timeout, retryDelay: retryDelay)
    }

    /// The creation of the current registration, `nil` while there is none.
    public var creation: UInt32? {
        machine.creation
    }

    /// Registers now, and from then on keeps the node registered. After a failed attempt nothing
    /// goes on: call this again, for example after starting a daemon.
    /// - Returns: The creation.
    /// - Throws: ``EPMDError/duplicateName(name:address:)`` when another node has the name.
    @discardableResult
    public func register() async throws(EPMDError) -> UInt32 {
        if let creation { return creation }
        let result = await withCheckedContinuation { waiter in
            guard !machine.isStopped else { return waiter.resume(returning: stopped) }
            waiters.append(waiter)
            perform(machine.start(persistently: false))
        }
        return try result.get()
    }

    /// Begins to register and returns at once. A failed attempt is followed by the next one.
    public func start() {
        perform(machine.start(persistently: true))
    }

    /// Unregisters, and ends for good.
    public func stop() {
        perform(machine.stop())
        resumeWaiters(stopped)
    }

    private var stopped: Result<UInt32, EPMDError> {
        .failure(.stopped(attempt: machine.attempt))
    }

    // MARK: Performing

    private func perform(_ actions: [RegistrationMachine.Action]) {
        for action in actions {
            switch action {
            case .connect: connect()
            case .send(let bytes): stream?.send(bytes)
            case .disconnect:
                connectNumber += 1
                stream?.close()
                stream = nil
            case .setTimer(let delay):
                timer?.cancel()
                timer = loop.schedule(after: delay) { [self] in
                    assumeIsolated { $0.perform($0.machine.timerFired()) }
                }
            case .cancelTimer:
                timer?.cancel()
                timer = nil
            case .report(let event):
                switch event {
                case .registered(let creation): resumeWaiters(.success(creation))
                case .failed(let error), .lost(let error): resumeWaiters(.failure(error))
                }
                report(event)
            }
        }
    }

    private func resumeWaiters(_ result: Result<UInt32, EPMDError>) {
        let waiters = waiters
        self.waiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }

    private func connect() {
        connectNumber += 1
        let number = connectNumber
        // It ends by its own timeout. Its result counts only while its number is the current one.
        Task {
            do {
                let stream = try await trust.connect(to: address, timeout: timeout, on: loop)
                connected(stream, number)
            } catch {
                guard number == connectNumber else { return }
                perform(
                    machine.connectFailed(
                        EPMDError(ofFailedConnect: error, attempt: machine.attempt)))
            }
        }
    }

    private func connected(_ stream: TCPStream, _ number: Int) {
        guard number == connectNumber else { return stream.close() }
        self.stream = stream
        stream.start(
            receive: { bytes in
                let copy = [UInt8](copying: bytes, limit: 64)
                self.assumeIsolated { $0.perform($0.machine.received(copy)) }
            },
            end: { reason in
                self.assumeIsolated {
                    $0.perform($0.machine.connectionEnded(reason: reason.reason))
                }
            })
        perform(machine.connected())
    }
}

public import Transport

/// An Erlang port mapper daemon for BEAM nodes, C nodes and OTP's own tools.
///
/// A registration lasts as long as its connection. The daemon takes registrations, DUMP, KILL and
/// STOP from this host only, and by default it answers no other host at all. It closes a connection
/// that does not ask its one question and take the answer within ``Limits/silence``.
///
/// Source: "EPMD Protocol", erl_dist_protocol; epmd(1).
public actor EPMDDaemon {
    /// How much the daemon does for others.
    public struct Limits: Equatable, Sendable {
        /// Simultaneous connections, registrations included. Beyond the limit, a newcomer takes the
        /// place of the oldest connection without a registration. Below Debian's limit of 1,024
        /// descriptors.
        public var connectionCount = 1000
        /// How long a connection may last from its beginning to the end of its answer, as in OTP.
        public var silence: Duration = .seconds(60)
        /// Simultaneous registrations. The other connections are reserved for questions.
        public var registrationCount = 900
        /// Registrations of one user of this host, where the user is known. Root has no such limit.
        public var registrationCountOfUser = 300
        /// How many of all registrations are reserved for root.
        public var registrationCountOfRoot = 100

        /// The limits of a daemon for one host.
        public init() {}
    }

    /// What happens to the daemon.
    public enum Event: Equatable, Sendable {
        /// A node can be looked up from now on.
        case registered(EPMDNodeInfo, creation: UInt32)
        /// A node's connection has ended, and with it the node's registration.
        case unregistered(EPMDNodeInfo)
        /// A connection was closed or refused because of what it sent.
        case refused(String)
        /// The daemon does not listen at an address that it can do without.
        case skipped(SystemError)
        /// A KILL request ended the daemon.
        case killed
    }

    /// Finds out which user of this host a connection belongs to, by its two ends; `nil` when that
    /// is not known. It throws when it cannot find out just now: then the node is not registered.
    /// It is called off the loop, a few times at once, and may block for a moment.
    public typealias UserOfPeer =
        @Sendable (_ peer: SocketAddress, _ own: SocketAddress) throws(SystemError) -> UInt32?

    private struct Connection {
        var stream: TCPStream
        var timer: LoopTimer
    }

    private nonisolated let loop: EventLoop
    private let limits: Limits
    private let isRelaxed: Bool
    private let peers: AdmittedPeers
    private let userOfPeer: UserOfPeer?
    private let report: @Sendable (Event) -> Void
    private var machine: DaemonMachine?
    private var isStopped = false
    private var listeners: [TCPListener] = []
    private var connections: [DaemonMachine.ConnectionID: Connection] = [:]
    private var nextConnection: DaemonMachine.ConnectionID = 1
    private var lookUps = LookUpQueue<DaemonMachine.ConnectionID>()
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// The event loop that the daemon was given.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - isRelaxed: Allow STOP, and KILL while nodes are registered, as `-relaxed_command_check`
    ///     does.
    ///   - peers: The peers whose questions are answered.
    ///   - report: Called on the loop's thread, in the order of events.
    ///   - userOfPeer: Without it, all registrations count as one user's.
    public init(
        loop: EventLoop, limits: Limits = Limits(), isRelaxed: Bool = false,
        peers: AdmittedPeers = .thisHost,
        report: @escaping @Sendable (Event) -> Void = { _ in },
        userOfPeer: UserOfPeer? = nil
    ) {
        self.loop = loop
        self.limits = limits
        self.isRelaxed = isRelaxed
        self.peers = peers
        self.userOfPeer = userOfPeer
        self.report = report
    }

    /// Listens on all of `addresses` and serves until ``stop()`` or a KILL request. A daemon can
    /// start only once.
    /// - Parameter addresses: See ``EPMDEnvironment/daemonAddresses(_:)``; by default all
    ///   interfaces, port 4369. The port of the first address is used for all; when it is 0 the
    ///   kernel chooses the port.
    /// - Parameter others: Addresses that a host may lack, as one without IPv6 does. A failure there
    ///   is reported, and is no failure of the daemon.
    /// - Returns: The addresses with their port.
    @discardableResult
    public func start(
        on addresses: [SocketAddress] = [.any(port: EPMDEnvironment.defaultPort)],
        alsoOn others: [SocketAddress] = []
    ) throws(SystemError) -> [SocketAddress] {
        precondition(machine == nil && !isStopped, "A daemon starts once")
        precondition(!addresses.isEmpty, "A daemon listens somewhere")
        var streamLimits = StreamLimits()
        // This is twice the longest listing.
        streamLimits.queuedByteCount = 1 << 20
        var port = addresses[0].port
        var listeners: [TCPListener] = []
        do throws(SystemError) {
            for address in addresses {
                let listener = try listen(on: address, port, streamLimits)
                listeners.append(listener)
                port = listener.address.port
            }
            for address in others {
                do throws(SystemError) {
                    listeners.append(try listen(on: address, port, streamLimits))
                } catch {
                    report(.skipped(error))
                }
            }
        } catch {
            for listener in listeners { listener.close() }
            throw error
        }
        self.listeners = listeners
        machine = DaemonMachine(
            port: port, connectionLimit: limits.connectionCount, isRelaxed: isRelaxed,
            firstCreation: .random(in: 4...UInt32.max),
            registrations: .init(
                count: min(limits.registrationCount, limits.connectionCount),
                countOfUser: userOfPeer == nil ? .max : limits.registrationCountOfUser,
                countOfRoot: userOfPeer == nil ? 0 : limits.registrationCountOfRoot),
            identifiesUsers: userOfPeer != nil)
        return listeners.map(\.address)
    }

    private func listen(
        on address: SocketAddress, _ port: UInt16, _ limits: StreamLimits
    ) throws(SystemError) -> TCPListener {
        var address = address
        address.port = port
        let listener = try TCPListener(on: address, loop: loop, limits: limits, takesIPv4: false)
        try listener.start { stream in self.assumeIsolated { $0.accepted(stream) } }
        return listener
    }

    /// The registrations, latest first.
    public var nodes: [EPMDNodeInfo] {
        machine?.registry.all.map(\.node) ?? []
    }

    /// Stops listening and ends every registration.
    public func stop() {
        isStopped = true
        for listener in listeners { listener.close() }
        listeners = []
        for connection in connections.values {
            connection.timer.cancel()
            connection.stream.close()
        }
        connections = [:]
        machine = nil
        let waiters = waiters
        self.waiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once the daemon has been stopped, by ``stop()`` or a KILL request.
    public func waitUntilStopped() async {
        guard !isStopped else { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    // MARK: Connections

    private func accepted(_ stream: TCPStream) {
        guard machine != nil else { return stream.close() }
        let (peer, own) = (stream.peerAddress, stream.localAddress)
        let isLocal = AdmittedPeers.isOfThisHost(peer, to: own)
        guard peers.admit(peer, isOfThisHost: isLocal) else {
            stream.close()
            return report(.refused("a connection from \(peer.host), which is another host"))
        }
        let id = nextConnection
        nextConnection += 1
        let timer = loop.schedule(after: limits.silence) { [self] in
            assumeIsolated { $0.feed { $0.timedOut(id) } }
        }
        connections[id] = Connection(stream: stream, timer: timer)
        stream.start(
            receive: { bytes in
                let copy = [UInt8](
                    copying: bytes, limit: 2 + EPMDRequestDecoder.maximumByteCount + 1)
                self.assumeIsolated { $0.feed { $0.received(copy, from: id) } }
            },
            end: { _ in
                self.assumeIsolated {
                    $0.connections.removeValue(forKey: id)?.timer.cancel()
                    $0.feed { $0.connectionClosed(id) }
                }
            })
        feed { $0.connectionOpened(id, isLocal: isLocal) }
    }

    private func feed(_ event: (inout DaemonMachine) -> [DaemonMachine.Action]) {
        // Callbacks after stop() have no effect.
        guard let actions = machine.mutate(event) else { return }
        for action in actions { perform(action) }
    }

    private func perform(_ action: DaemonMachine.Action) {
        switch action {
        case .send(let bytes, let id): connections[id]?.stream.send(bytes)
        case .identify(let id): if lookUps.add(id) { lookUp(id) }
        case .closeAfterSending(let id):
            connections[id]?.stream.onDrain = {
                self.assumeIsolated { $0.feed { $0.drained(id) } }
            }
        case .close(let id):
            guard let connection = connections.removeValue(forKey: id) else { return }
            connection.timer.cancel()
            connection.stream.close()
        case .end(let id):
            for listener in listeners { listener.close() }
            listeners = []
            connections[id]?.stream.onDrain = { self.assumeIsolated { $0.endKilled() } }
            // The peer may be gone, or may not read.
            loop.schedule(after: .seconds(1)) { [self] in assumeIsolated { $0.endKilled() } }
        case .report(let event): report(event)
        }
    }

    private func lookUp(_ first: DaemonMachine.ConnectionID) {
        guard let userOfPeer else { return }
        Task {
            var next: DaemonMachine.ConnectionID? = first
            while let id = next {
                // The connection may have been closed while it waited.
                if let stream = connections[id]?.stream {
                    let (peer, own) = (stream.peerAddress, stream.localAddress)
                    let user = await offload { () -> Result<UInt32?, SystemError> in
                        Result { () throws(SystemError) in try userOfPeer(peer, own) }
                    }
                    feed { $0.identified(id, user: user) }
                }
                next = lookUps.next()
            }
        }
    }

    private func endKilled() {
        guard !isStopped else { return }
        stop()
        report(.killed)
    }
}

extension Optional {
    /// Changes the value in place, if there is one.
    fileprivate mutating func mutate<Result>(_ body: (inout Wrapped) -> Result) -> Result? {
        guard var value = self else { return nil }
        // Move the value out meanwhile: with two owners, the machine's tables would be copied at
        // each event.
        self = nil
        defer { self = value }
        return body(&value)
    }
}

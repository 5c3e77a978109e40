public import ExternalTermFormat
public import Transport

/// A hidden Erlang node: it connects to other nodes and is connected to, calls their functions and is
/// called.
///
/// ```swift
/// let node = Node(name: try NodeName("me@host"), cookie: "secret", loop: loop) { name in
///     // Where `name` listens: ask EPMD, or know it.
/// }
/// let list = try await node.call(
///     NodeName("app@host"), "lists", "reverse", [[1, 2, 3]], timeout: .seconds(5))
/// ```
/// The actor is pinned to its event loop. A call costs one frame each way and no change of thread when
/// its caller runs on the loop too.
///
/// As long as it listens or is connected it keeps itself alive: ``close()`` ends that.
///
/// It can be called only once it listens (``listen(on:)``) and is registered with EPMD under the port
/// that it got, which is the caller's to do; the creation that EPMD answers goes to ``setCreation(_:)``.
public actor Node {
    /// Finds out where a node listens. A node name with a port is not asked for.
    public typealias Resolver = @Sendable (NodeName) async throws -> [SocketAddress]

    /// Whose listeners on this host are believed to be a node that is dialled; see ``ListenerTrust``.
    public typealias Trust = @Sendable (NodeName) async -> ListenerTrust

    /// Why a node that has connected is not let in under the name that it gives, as words after a colon; `nil` when it is.
    /// The cookie has not been proven yet.
    /// - Parameters:
    ///   - peer: where it comes from.
    ///   - own: where it has connected to.
    public typealias Admission =
        @Sendable (_ name: NodeName, _ peer: SocketAddress, _ own: SocketAddress) async -> String?

    /// How a node behaves.
    public struct Configuration: Sendable {
        /// What is offered to peers.
        public var flags = DistributionFlags.standard
        /// After this much silence a peer is gone; a quarter of it is the time between ticks.
        public var tickTime: Duration = .seconds(60)
        /// How long connecting to one address may take, and how long the handshake after it.
        public var connectTimeout: Duration = .seconds(7)
        /// Calls from other nodes that may run at the same time; more are refused (`system_limit`).
        public var maximumIncomingCalls = 1024
        /// Those of one node among them.
        public var maximumIncomingCallsPerPeer = 512
        /// Bytes, as they came, of calls from other nodes that run; a call that does not fit beside others is
        /// refused (`system_limit`).
        public var maximumIncomingCallByteCount = 16 << 20
        /// Connections whose handshake is not finished. One more closes the oldest of the source that has
        /// most of them; all addresses of loopback are one source, and so is a /64 of IPv6.
        public var maximumHandshakes = 256
        /// Connections that others have made, and that this node has never called over. One more closes the oldest of
        /// the source that has most of them.
        public var maximumAcceptedConnections = 256
        /// Bytes that may be kept for all peers together: parts of frames and messages, and what waits to be sent. More
        /// close the connection of the peer that has most.
        public var maximumHeldByteCount = 256 << 20
        /// The limits of a message's terms. By default as much as is read in less than 50 ms; whoever waits for the
        /// answers of nodes that it trusts may take ``DecodingLimits/answers``.
        public var terms = DecodingLimits.distribution
        /// How much of what peers cause is logged.
        var reports = ReportBudget.Limits()
        /// Calls that may wait on one connection.
        public var maximumOutgoingCalls = 100_000
        /// TLS for every connection, in both directions; plain TCP without it.
        public var tls: DistributionTLS?
        /// From where connections are taken; `nil` for everybody with TLS, and for this host without.
        public var admittedPeers: AdmittedPeers?
        /// Asked for each node before it is dialled. Whoever is dialled gets an answer to its challenge that
        /// only the cookie can give.
        public var trust: Trust = { _ in ListenerTrust() }
        /// Asked for each node that connects under a name; by default the cookie is all that is asked for.
        public var admission: Admission?
        /// Bytes that may wait to be sent to one peer.
        public var queuedByteCount = 64 << 20
        /// What one call may print before the rest is left out.
        public var maximumOutputByteCount = 16 << 20

        /// A hidden node over plain TCP with the limits of a well-behaved one.
        public init() {}
    }

    /// What happened to connections.
    public enum Event: Sendable, Equatable {
        /// A node is connected, by whomever.
        case nodeUp(NodeName, creation: UInt32, isHidden: Bool)
        /// The connection to a node has ended. There is one for every ``nodeUp(_:creation:isHidden:)``.
        case nodeDown(NodeName, DisconnectReason)
    }

    /// The event loop that everything of this node runs on.
    public nonisolated let loop: EventLoop
    /// The event loop that it was given.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    let cookie: String
    let configuration: Configuration
    let resolver: Resolver
    /// Where a node without a name lives.
    let host: String
    /// `nil` as long as no peer has given one to a node that asks for it.
    public internal(set) var name: NodeName?
    /// Which life of the node this is.
    public internal(set) var creation: UInt32

    var links: [Atom: PeerLink] = [:]
    var attempts: [Atom: Attempt] = [:]
    /// Accepted connections whose handshake is not finished.
    var accepting: [ObjectIdentifier: Accepting] = [:]
    var handshakes: AcceptedHandshakes<ObjectIdentifier, PeerSource>
    var budget: NodeBudget
    var challenges = OutstandingChallenges<ObjectIdentifier>()
    var identification = PeerIdentification()
    var listener: TCPListener?
    var processes = ProcessTable()
    var leaders: [UInt32: GroupLeader] = [:]
    var exposed: [Atom: ExposedModule] = [:]
    var incomingCalls: [UInt32: IncomingCall] = [:]
    /// The bytes of the message from a peer that is being handled; 0 between messages.
    var receivedByteCount = 0
    /// Those that users hold, those that have ended included.
    var localProcesses: [UInt32: LocalProcess] = [:]
    /// Which process an alias of ours belongs to.
    var aliases: [Reference: UInt32] = [:]
    /// Signals between processes of this node, and whether they are being handled.
    var localSignals: [ControlMessage] = []
    var isHandlingLocalSignals = false
    var nextUnlinkNumber: UInt64 = 0
    /// Distinguishes tasks that wait.
    var nextToken: UInt64 = 0
    var nextReference: UInt64 = 0
    /// Distinguishes the references of two nodes with the same name and creation.
    let referenceSalt = UInt32.random(in: 0 ... .max)
    var onEvent: (@Sendable (Event) -> Void)?
    var onLog: (@Sendable (LogLevel, String) -> Void)?
    private var reports: ReportBudget

    /// A node with a name of its own.
    /// - Parameter resolver: finds out where another node listens, unless its name has a port.
    public init(
        name: NodeName, cookie: String, loop: EventLoop,
        configuration: Configuration = Configuration(), resolver: @escaping Resolver
    ) {
        self.init(
            name: name, host: name.host, cookie: cookie, loop: loop, configuration: configuration,
            resolver: resolver)
    }

    /// A node without a name, for short-lived commands: the first node it connects to gives it one.
    /// It clashes with no other name and needs no EPMD registration; it cannot be connected to.
    public init(
        dynamicOn host: String, cookie: String, loop: EventLoop,
        configuration: Configuration = Configuration(), resolver: @escaping Resolver
    ) {
        self.init(
            name: nil, host: host, cookie: cookie, loop: loop, configuration: configuration,
            resolver: resolver)
    }

    private init(
        name: NodeName?, host: String, cookie: String, loop: EventLoop,
        configuration: Configuration, resolver: @escaping Resolver
    ) {
        self.name = name
        self.host = host
        self.cookie = cookie
        self.loop = loop
        self.configuration = configuration
        self.resolver = resolver
        handshakes = AcceptedHandshakes(limit: configuration.maximumHandshakes)
        var limits = NodeBudget.Limits()
        limits.connectionCount = configuration.maximumAcceptedConnections
        limits.byteCount = configuration.maximumHeldByteCount
        limits.callCount = configuration.maximumIncomingCalls
        limits.callCountOfPeer = configuration.maximumIncomingCallsPerPeer
        limits.callByteCount = configuration.maximumIncomingCallByteCount
        budget = NodeBudget(limits: limits)
        reports = ReportBudget(limits: configuration.reports)
        // 0 to 3 are those of nodes before OTP 23. EPMD gives out another one.
        creation = UInt32.random(in: 4 ... .max)
        // Who calls by these names first monitors them.
        processes.register(Atom("net_kernel"))
        processes.register(Atom("rex"))
    }

    // MARK: Setting up

    /// The creation that EPMD gave us, for connections from now on.
    public func setCreation(_ creation: UInt32) {
        self.creation = creation
    }

    /// Who hears of nodes that come and go. Set it before listening and connecting.
    public func setEventHandler(_ handler: (@Sendable (Event) -> Void)?) {
        onEvent = handler
    }

    /// Who hears what an operator should know. Repeated causes are reported once.
    public func setLogHandler(_ handler: (@Sendable (LogLevel, String) -> Void)?) {
        onLog = handler
    }

    /// Answers calls to the functions of `module` from other nodes, by `rpc`, `erpc` or `spawn`.
    public func expose(module: Atom, _ handler: @escaping ExposedModule) {
        exposed[module] = handler
    }

    /// The nodes that are connected, in no particular order.
    public var connectedNodes: [NodeName] {
        links.values.map(\.peer.name)
    }

    /// Ends the connection to a node; its pending calls fail with ``CallError/connectionLost(_:)``.
    public func disconnect(from node: NodeName) {
        guard let link = links[node.atom] else { return }
        link.connection.close()
        connectionEnded(link, .disconnected)
    }

    /// Ends all connections and stops listening. The node can be used again.
    public func close() {
        listener?.close()
        listener = nil
        for connection in accepting.values { connection.close() }
        accepting = [:]
        handshakes.removeAll()
        challenges.removeAll()
        for attempt in attempts.values {
            attempt.task?.cancel()
            attempt.connection?.close()
            endHandshake(attempt, .connectionLost(.disconnected))
        }
        for link in Array(links.values) {
            link.connection.close()
            connectionEnded(link, .disconnected)
        }
    }

    // MARK: Identifiers

    /// How processes of this node are named by those of the same node.
    var ownAtom: Atom { name?.atom ?? Atom("nonode@nohost") }

    func pid(_ id: UInt32, _ link: PeerLink, serial: UInt32 = 0) -> PID {
        PID(node: ownAtom, id: id, serial: serial, creation: link.ownCreation)
    }

    /// A process of ours as a node knows it, connected or not.
    func pid(_ id: UInt32, for node: Atom) -> PID {
        PID(
            node: ownAtom, id: id, serial: 0, creation: links[node]?.ownCreation ?? creation)
    }

    /// Whether a pid of ours is of this life of the node.
    func isCurrent(_ pid: PID, for node: Atom) -> Bool {
        pid.creation == creation || pid.creation == links[node]?.ownCreation
    }

    func makeReference(_ link: PeerLink) -> Reference {
        makeReference(creation: link.ownCreation)
    }

    func makeReference(for node: Atom) -> Reference {
        makeReference(creation: links[node]?.ownCreation ?? creation)
    }

    private func makeReference(creation: UInt32) -> Reference {
        CallFrames.reference(
            makeNumber(), of: PID(node: ownAtom, id: 0, serial: 0, creation: creation),
            salt: referenceSalt)
    }

    /// What distinguishes a reference of ours from all others.
    func makeNumber() -> UInt64 {
        nextReference = nextReference == CallFrames.maximumNumber ? 1 : nextReference + 1
        return nextReference
    }

    /// The reference of a call, whose number it has.
    func reference(_ number: UInt64, _ link: PeerLink) -> Reference {
        CallFrames.reference(number, of: pid(0, link), salt: referenceSalt)
    }

    /// The number of a call that an answer over this connection is for.
    func number(_ reference: Reference, _ link: PeerLink) -> UInt64? {
        CallFrames.number(of: reference, creation: link.ownCreation, salt: referenceSalt)
    }

    // MARK: Reporting

    /// Logs `text` about what a peer has caused, as far as there is room for it: see ``ReportBudget``.
    /// - Parameters:
    ///   - cause: what is not told again soon; `nil` when each time counts.
    ///   - source: whom it is counted for. It must not be something that a peer can vary, such as its name.
    package func report(
        _ level: LogLevel, cause: String?, of source: some CustomStringConvertible,
        _ text: @autoclosure () -> String
    ) {
        guard let onLog else { return }
        switch reports.record(cause, of: source.description, now: .now) {
        case .tell:
            // A peer may have chosen a part of it.
            onLog(level, String(decoding: text().utf8.prefix(1000), as: UTF8.self))
        case .leaveOut(let time?):
            loop.schedule(at: time) { [weak self] in
                self?.assumeIsolated { $0.tellWhatWasLeftOut() }
            }
        case .known, .leaveOut(nil): return
        }
    }

    private func tellWhatWasLeftOut() {
        let count = reports.takeSummary()
        if count > 0 { onLog?(.warning, "\(count) more lines about peers were left out") }
    }
}

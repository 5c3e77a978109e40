public import ExternalTermFormat
public import Transport

/// A hidden Erlang node: it connects to other nodes and calls their functions; they connect to it
/// and call its own.
///
/// ```swift
/// let node = Node(name: try NodeName("me@host"), cookie: "secret", loop: loop) { name in
///     // Where `name` listens: ask EPMD, or know it.
/// }
/// let list = try await node.call(
///     NodeName("app@host"), "lists", "reverse", [[1, 2, 3]], timeout: .seconds(5))
/// ```
/// The actor is pinned to its event loop. A call costs one frame each way and no change of thread
/// when its caller runs on the loop too.
///
/// While it listens or is connected it keeps itself alive, until ``close()``.
///
/// Others can call it only once it listens (``listen(on:)``) and is registered with EPMD. Register
/// the port that ``listen(on:)`` returns, and pass the creation that EPMD answers to
/// ``setCreation(_:)``.
public actor Node {
    /// Finds out where a node listens. It is not called for a node name with a port.
    public typealias Resolver = @Sendable (NodeName) async throws -> AddressSearch

    /// Says which listeners on this host are believed to be the node that is dialled; see
    /// ``ListenerTrust``.
    public typealias Trust = @Sendable (NodeName) async -> ListenerTrust

    /// Decides whether a node that has connected may use the name that it gives. `nil` lets it in;
    /// otherwise the text says why not, as words after a colon. The node has not proven the cookie
    /// yet.
    /// - Parameters:
    ///   - peer: the address that the node connects from.
    ///   - own: the address that it has connected to.
    public typealias Admission =
        @Sendable (_ name: NodeName, _ peer: SocketAddress, _ own: SocketAddress) async -> String?

    /// What happened to connections.
    public enum Event: Sendable, Equatable {
        /// A node is connected, whichever side dialled.
        case nodeUp(NodeName, creation: UInt32, isHidden: Bool)
        /// The connection to a node has ended. Every ``nodeUp(_:creation:isHidden:)`` is followed
        /// by one of these.
        case nodeDown(NodeName, DisconnectReason)
    }

    /// The event loop that this node runs on.
    public nonisolated let loop: EventLoop
    /// The executor of ``loop``.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    let cookie: String
    let configuration: Configuration
    let resolver: Resolver
    let identity: NodeIdentity
    let log: NodeLog
    let peers: Peers
    let attempts = Attempts()
    let accepted: AcceptedConnections
    let identification = PeerIdentification()
    let leaders: GroupLeaders
    let processes: LocalProcesses
    let incoming: IncomingCalls
    private var onEvent: (@Sendable (Event) -> Void)?

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

    /// A node without a name, for short-lived commands: the first node that it connects to gives it
    /// a name. That name clashes with no other and needs no EPMD registration. Other nodes cannot
    /// connect to it.
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
        self.cookie = cookie
        self.loop = loop
        self.configuration = configuration
        self.resolver = resolver
        identity = NodeIdentity(name: name, host: host)
        log = NodeLog(loop: loop, limits: configuration.reports)
        peers = Peers(
            limits: .init(
                connectionCount: configuration.maximumAcceptedConnections,
                byteCount: configuration.maximumHeldByteCount))
        accepted = AcceptedConnections(limit: max(configuration.maximumHandshakes, 1))
        leaders = GroupLeaders(maximumByteCount: configuration.maximumOutputByteCount)
        processes = LocalProcesses(identity: identity, peers: peers, log: log, loop: loop)
        incoming = IncomingCalls(
            limits: .init(
                count: configuration.maximumIncomingCalls,
                countOfPeer: configuration.maximumIncomingCallsPerPeer,
                byteCount: configuration.maximumIncomingCallByteCount),
            peers: peers, processes: processes, log: log)
        loop.whenStopped { [weak self] in self?.assumeIsolated { $0.loopStopped() } }
    }

    /// Nothing will come any more, neither an answer nor the time when it is late.
    private func loopStopped() {
        onEvent = nil
        log.handler = nil
        close()
        processes.endAll(reason: .atom("shutdown"))
    }

    /// `nil` until a peer names a node that asks for a name.
    public var name: NodeName? { identity.name }

    /// Which life of the node this is.
    public var creation: UInt32 { identity.creation }

    // MARK: Setting up

    /// Sets the creation that EPMD gave us, for connections from now on.
    public func setCreation(_ creation: UInt32) {
        identity.creation = creation
    }

    /// Sets who hears of nodes that come and go. Set it before listening and connecting.
    public func setEventHandler(_ handler: (@Sendable (Event) -> Void)?) {
        onEvent = handler
    }

    /// Sets who hears what an operator should know. Repeated causes are reported once.
    public func setLogHandler(_ handler: (@Sendable (LogLevel, String) -> Void)?) {
        log.handler = handler
    }

    /// Answers calls to the functions of `module` from other nodes, by `rpc`, `erpc` or `spawn`.
    public func expose(module: Atom, _ handler: @escaping ExposedModule) {
        incoming.expose(module, handler)
    }

    /// The nodes that are connected, in no particular order.
    public var connectedNodes: [NodeName] {
        peers.all.map(\.peer.name)
    }

    /// The certificate that a connected node has shown; `nil` without TLS, and if it has shown none.
    package func certificate(of node: NodeName) -> TLSCertificate? {
        peers[node.atom]?.connection.peerCertificate
    }

    /// Ends the connection to a node; its pending calls fail with ``CallError/connectionLost(_:)``.
    public func disconnect(from node: NodeName) {
        if let peer = peers[node.atom] { disconnect(peer, .disconnected) }
    }

    /// Ends all connections and stops listening. The node can be used again.
    public func close() {
        accepted.closeAll()
        attempts.giveUpAll()
        for peer in peers.all { disconnect(peer, .disconnected) }
    }

    // MARK: Reporting

    func tell(_ event: Event) {
        onEvent?(event)
    }

    /// Logs `text` about what a peer has caused, within the limits of a ``ReportBudget``.
    /// - Parameters:
    ///   - cause: the same cause is not logged again soon; `nil` when each time counts.
    ///   - source: whom the line is counted for. A peer must not be able to vary it, as it can vary
    ///     its name.
    package func report(
        _ level: LogLevel, cause: String?, of source: some CustomStringConvertible,
        _ text: @autoclosure () -> String
    ) {
        log.report(level, cause: cause, of: source, text())
    }

    // MARK: For tests

    var heldByteCount: Int { peers.heldByteCount }
    var handshakeCount: Int { accepted.count }
}

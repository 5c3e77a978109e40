public import ExternalTermFormat
public import Transport

/// A hidden Erlang node: it connects to other nodes and is connected to, calls their functions and
/// is called.
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
/// As long as it listens or is connected it keeps itself alive: ``close()`` ends that.
///
/// It can be called only once it listens (``listen(on:)``) and is registered with EPMD under the
/// port that it got, which is the caller's to do; the creation that EPMD answers goes to
/// ``setCreation(_:)``.
public actor Node {
    /// Finds out where a node listens. A node name with a port is not asked for.
    public typealias Resolver = @Sendable (NodeName) async throws -> AddressSearch

    /// Whose listeners on this host are believed to be a node that is dialled; see
    /// ``ListenerTrust``.
    public typealias Trust = @Sendable (NodeName) async -> ListenerTrust

    /// Says why a node that has connected may not use the name that it gives, as words after a
    /// colon; `nil` lets it in. The node has not proven the cookie yet.
    /// - Parameters:
    ///   - peer: where it comes from.
    ///   - own: where it has connected to.
    public typealias Admission =
        @Sendable (_ name: NodeName, _ peer: SocketAddress, _ own: SocketAddress) async -> String?

    /// What happened to connections.
    public enum Event: Sendable, Equatable {
        /// A node is connected, whoever has dialled.
        case nodeUp(NodeName, creation: UInt32, isHidden: Bool)
        /// The connection to a node has ended. There is one for every
        /// ``nodeUp(_:creation:isHidden:)``.
        case nodeDown(NodeName, DisconnectReason)
    }

    /// The event loop that this node runs on.
    public nonisolated let loop: EventLoop
    /// That of ``loop``.
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
        accepted = AcceptedConnections(limit: configuration.maximumHandshakes)
        leaders = GroupLeaders(maximumByteCount: configuration.maximumOutputByteCount)
        processes = LocalProcesses(identity: identity, peers: peers, log: log, loop: loop)
        incoming = IncomingCalls(
            limits: .init(
                count: configuration.maximumIncomingCalls,
                countOfPeer: configuration.maximumIncomingCallsPerPeer,
                byteCount: configuration.maximumIncomingCallByteCount),
            peers: peers, processes: processes, log: log)
    }

    /// `nil` as long as no peer has given one to a node that asks for it.
    public var name: NodeName? { identity.name }

    /// Which life of the node this is.
    public var creation: UInt32 { identity.creation }

    // MARK: Setting up

    /// The creation that EPMD gave us, for connections from now on.
    public func setCreation(_ creation: UInt32) {
        identity.creation = creation
    }

    /// Who hears of nodes that come and go. Set it before listening and connecting.
    public func setEventHandler(_ handler: (@Sendable (Event) -> Void)?) {
        onEvent = handler
    }

    /// Who hears what an operator should know. Repeated causes are reported once.
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

    /// Logs `text` about what a peer has caused, as far as there is room for it: see
    /// ``ReportBudget``.
    /// - Parameters:
    ///   - cause: the same cause is not told again soon; `nil` when each time counts.
    ///   - source: whom the line is counted for. A peer must not be able to vary it, as it can its
    ///     name.
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

public import Transport

/// Asks an Erlang port mapper daemon where nodes are.
///
/// ```swift
/// let client = EPMDClient(address: try EPMDEnvironment.clientAddress(environment), loop: loop)
/// let info = try await client.lookUp(name: "app-1")
/// ```
/// Each question is a connection of its own and fails after `timeout`, connecting included.
/// Registering is ``EPMDRegistration``'s. Source: "EPMD Protocol", erl_dist_protocol.
public struct EPMDClient: Sendable {
    /// The daemon that is asked.
    public let address: SocketAddress
    /// How long one question may take.
    public let timeout: Duration
    /// Which users' daemons on this host it believes.
    public let trust: ListenerTrust
    /// The names that mean this host, whose daemon is asked on loopback first.
    public let ownHost: OwnHost
    private let loop: EventLoop

    /// A client that makes no connection before it is asked something.
    /// - Parameters:
    ///   - loop: what its connections run on.
    ///   - trust: whose daemons on this host are believed: EPMD's port is anybody's.
    ///   - ownHost: the names that mean this host.
    public init(
        address: SocketAddress = .loopback(port: EPMDEnvironment.defaultPort), loop: EventLoop,
        timeout: Duration = .seconds(5), trust: ListenerTrust = ListenerTrust(),
        ownHost: OwnHost = OwnHost()
    ) {
        self.address = address
        self.loop = loop
        self.timeout = timeout
        self.trust = trust
        self.ownHost = ownHost
    }

    /// What the daemon knows of the node `name` (without `@host`).
    /// - Throws: ``EPMDError/notRegistered(name:address:)`` when there is none.
    public func lookUp(name: String) async throws(EPMDError) -> EPMDNodeInfo {
        let reply = try await ask(
            .portPlease(name: name), EPMDPortReplyDecoder(), "looking up `\(name)` at \(address)")
        switch reply {
        case .found(let info): return info
        case .notRegistered: throw .notRegistered(name: name, address: address)
        }
    }

    /// Where `name@host` accepts connections: asks the daemon of `host`, on the port of
    /// ``address``, at each of the host's addresses until one answers.
    /// - Returns: What the daemon knows, and the node's address.
    public func lookUp(
        name: String, host: String
    ) async throws(EPMDError) -> (info: EPMDNodeInfo, address: SocketAddress) {
        try await onEachAddress(of: host, "looking up `\(name)` at \(host)") {
            client throws(EPMDError) in
            let info = try await client.lookUp(name: name)
            var node = client.address
            node.port = info.port
            return (info, node)
        }
    }

    /// Where to connect to the node `name@host`, for a node's resolver: where the daemon answers,
    /// and for a node of this host wherever it may listen, since its daemon is on loopback always.
    public func addresses(
        name: String, host: String
    ) async throws(EPMDError) -> AddressSearch {
        let found = try await lookUp(name: name, host: host)
        guard ownHost.isNamed(host) else { return [found.address] }
        return AddressSearch(host: host, port: found.info.port, ownHost: ownHost)
    }

    /// The names registered with the daemon.
    public func names() async throws(EPMDError) -> [EPMDName] {
        try await ask(.names, EPMDListingDecoder(), "listing the names at \(address)").names
    }

    /// The names registered with the daemon of `host`, on the port of ``address``.
    public func names(host: String) async throws(EPMDError) -> [EPMDName] {
        try await onEachAddress(of: host, "listing the names at \(host)") {
            client throws(EPMDError) in try await client.names()
        }
    }

    /// Asks the daemon to end.
    /// - Returns: Whether it does; it does not while nodes are registered, unless it runs relaxed.
    public func kill() async throws(EPMDError) -> Bool {
        try await ask(.kill, EPMDCommandReplyDecoder(), "ending EPMD at \(address)") == .ok
    }

    /// Asks the daemon to end the registration of `name`, which only a relaxed one does.
    /// - Returns: Whether there was one.
    public func stop(name: String) async throws(EPMDError) -> Bool {
        let reply = try await ask(
            .stop(name: name), EPMDCommandReplyDecoder(), "unregistering `\(name)` at \(address)")
        return reply == .stopped
    }

    private func ask<Decoder: EPMDReplyDecoder>(
        _ request: EPMDRequest, _ decoder: Decoder, _ attempt: String
    ) async throws(EPMDError) -> Decoder.Reply {
        let bytes: [UInt8]
        do throws(EPMDRequestError) { bytes = try request.encoded() } catch {
            throw .badRequest(attempt: attempt, error)
        }
        let machine = EPMDExchange(attempt: attempt, timeout: timeout, decoder: decoder)
        return try await Exchange(machine, on: loop).answer(to: bytes, within: timeout) {
            [address, timeout, trust, loop] in
            try await trust.connect(to: address, timeout: timeout, on: loop)
        }
    }

    private func onEachAddress<Answer>(
        of host: String, _ attempt: String,
        _ body: (EPMDClient) async throws(EPMDError) -> Answer
    ) async throws(EPMDError) -> Answer {
        var search = AddressSearch(host: host, port: address.port, ownHost: ownHost)
        // Report the first failure: later addresses are second choices.
        var failure: EPMDError?
        while let address = try await next(&search, attempt) {
            do throws(EPMDError) {
                return try await body(
                    EPMDClient(
                        address: address, loop: loop, timeout: timeout, trust: trust,
                        ownHost: ownHost))
            } catch {
                // A daemon's answer counts for the host.
                if case .notRegistered = error { throw error }
                failure = failure ?? error
            }
        }
        throw failure
            ?? .unresolvedHost(
                attempt: attempt, ResolutionError(host: host, reason: "it has no addresses"))
    }

    private func next(
        _ search: inout AddressSearch, _ attempt: String
    ) async throws(EPMDError) -> SocketAddress? {
        do throws(ResolutionError) {
            return try await search.next()
        } catch {
            throw .unresolvedHost(attempt: attempt, error)
        }
    }
}

public import Transport

/// Asks an Erlang port mapper daemon where nodes are.
///
/// ```swift
/// let client = EPMDClient(address: try EPMDEnvironment.clientAddress(environment), loop: loop)
/// let info = try await client.lookUp(name: "app-1")
/// ```
/// Each question has its own connection and fails after `timeout`, which includes connecting.
/// ``EPMDRegistration`` registers nodes. Source: "EPMD Protocol", erl_dist_protocol.
public struct EPMDClient: Sendable {
    /// The daemon that the client asks.
    public let address: SocketAddress
    /// How long one question may take.
    public let timeout: Duration
    /// Which users' daemons on this host the client believes.
    public let trust: ListenerTrust
    /// The names that mean this host. For them, the daemon on loopback is asked first.
    public let ownHost: OwnHost
    private let loop: EventLoop

    /// Makes a client. It does not connect before it is asked something.
    /// - Parameters:
    ///   - loop: the event loop for its connections.
    ///   - trust: the users whose daemons on this host are believed: anybody can listen on EPMD's
    ///     port.
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
    /// - Throws: ``EPMDError/notRegistered(name:address:)`` when there is no such node.
    public func lookUp(name: String) async throws(EPMDError) -> EPMDNodeInfo {
        let reply = try await ask(
            .portPlease(name: name), EPMDPortReplyDecoder(), "looking up `\(name)` at \(address)")
        switch reply {
        case .found(let info): return info
        case .notRegistered: throw .notRegistered(name: name, address: address)
        }
    }

    /// Where `name@host` accepts connections. Asks the daemon of `host`, on the port of
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

    /// The addresses to try for the node `name@host`, for a node's resolver. This is the address
    /// where the daemon answers. For a node of this host it is every address where the node may
    /// listen, since the daemon is always on loopback.
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
    /// - Returns: Whether it ends. It does not while nodes are registered, unless it runs relaxed.
    public func kill() async throws(EPMDError) -> Bool {
        try await ask(.kill, EPMDCommandReplyDecoder(), "ending EPMD at \(address)") == .ok
    }

    /// Asks the daemon to end the registration of `name`. Only a relaxed daemon does.
    /// - Returns: Whether there was such a registration.
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
                // An answer from a daemon is valid for the whole host.
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

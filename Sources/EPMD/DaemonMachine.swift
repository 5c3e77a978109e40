internal import Transport

/// The daemon's decisions: which connections live, and what each request is answered with.
///
/// It does no I/O and reads no clock. Its driver gives every connection a number that is never used
/// again, starts a timer of ``EPMDDaemon/Limits/silence`` for each, and performs the actions in
/// order. Source: "EPMD Protocol", erl_dist_protocol. What it refuses, and when, follows
/// `epmd_srv.c`.
struct DaemonMachine {
    typealias ConnectionID = EPMDRegistry.ConnectionID

    enum Action: Equatable {
        case send([UInt8], to: ConnectionID)
        /// Find out which user the peer is, for ``DaemonMachine/identified(_:user:)``.
        case identify(ConnectionID)
        /// Close the connection once everything sent has left; then ``DaemonMachine/drained(_:)``
        /// follows.
        case closeAfterSending(ConnectionID)
        case close(ConnectionID)
        /// End the daemon, but first send the connection what is queued for it.
        case end(after: ConnectionID)
        case report(EPMDDaemon.Event)
    }

    private enum Connection {
        case awaitingRequest(EPMDRequestDecoder, isLocal: Bool)
        /// The peer wants to register a node, and its user is being looked up.
        case identifying(EPMDNodeInfo)
        case registered(user: UInt32?)
        /// The request was answered; the answer has yet to leave.
        case closing
    }

    let port: UInt16
    private let connectionLimit: Int
    private let isRelaxed: Bool
    private var connections: [ConnectionID: Connection] = [:]
    private(set) var registry: EPMDRegistry
    private var share: RegistrationShare
    private let identifiesUsers: Bool

    /// - Parameters:
    ///   - registrations: by default as many as there can be connections.
    ///   - identifiesUsers: whether ``Action/identify(_:)`` is used; otherwise all peers count as
    ///     the same, unknown user.
    init(
        port: UInt16, connectionLimit: Int, isRelaxed: Bool, firstCreation: UInt32,
        registrations: RegistrationShare.Limits? = nil, identifiesUsers: Bool = false
    ) {
        self.port = port
        self.identifiesUsers = identifiesUsers
        share = RegistrationShare(
            limits: registrations
                ?? .init(count: connectionLimit, countOfUser: connectionLimit, countOfRoot: 0))
        self.connectionLimit = connectionLimit
        self.isRelaxed = isRelaxed
        registry = EPMDRegistry(firstCreation: firstCreation)
    }

    var connectionCount: Int { connections.count }

    /// A connection came. If there are too many, the oldest connection without a registration makes
    /// room: a peer that opens connections and says nothing must not keep nodes away.
    /// - Parameter isLocal: Whether the peer is on this host.
    mutating func connectionOpened(_ id: ConnectionID, isLocal: Bool) -> [Action] {
        var actions: [Action] = []
        if connections.count >= connectionLimit {
            let idle = connections.filter { entry in
                if case .registered = entry.value { false } else { true }
            }
            guard let oldest = idle.keys.min() else { return [.close(id)] }
            connections[oldest] = nil
            actions.append(.close(oldest))
        }
        connections[id] = .awaitingRequest(EPMDRequestDecoder(), isLocal: isLocal)
        return actions
    }

    mutating func received(_ bytes: some Collection<UInt8>, from id: ConnectionID) -> [Action] {
        switch connections[id] {
        case .awaitingRequest(var decoder, let isLocal):
            do throws(EPMDRequestError) {
                guard let request = try decoder.receive(bytes) else {
                    connections[id] = .awaitingRequest(decoder, isLocal: isLocal)
                    return []
                }
                return answer(request, id, isLocal: isLocal)
            } catch {
                return close(id, reporting: .refused("\(error)"))
            }
        case .identifying, .registered:
            // A node sends nothing after its registration, so the peer is something else.
            return close(id, reporting: .refused("bytes after a registration"))
        case .closing, nil: return []
        }
    }

    /// The connection was closed by the peer or lost.
    mutating func connectionClosed(_ id: ConnectionID) -> [Action] {
        let connection = connections.removeValue(forKey: id)
        return unregister(id, connection)
    }

    /// The look-up of a connection's user has ended: the user is known, or unknown (`nil`), or
    /// cannot be found out just now. In the last case the node may ask again. It must not count as
    /// an unknown user's, since those have their own limit.
    mutating func identified(
        _ id: ConnectionID, user: Result<UInt32?, SystemError>
    ) -> [Action] {
        guard case .identifying(let node) = connections[id] else { return [] }
        switch user {
        case .success(let user): return register(node, id, user)
        case .failure(let error): return refuse(node, id, "\(error)")
        }
    }

    /// The time for a request and its answer is up.
    mutating func timedOut(_ id: ConnectionID) -> [Action] {
        switch connections[id] {
        case .awaitingRequest, .identifying, .closing: return close(id)
        case .registered, nil: return []
        }
    }

    /// Everything sent to the connection has left.
    mutating func drained(_ id: ConnectionID) -> [Action] {
        if case .closing = connections[id] { close(id) } else { [] }
    }

    // MARK: Requests

    private mutating func answer(
        _ request: EPMDRequest, _ id: ConnectionID, isLocal: Bool
    ) -> [Action] {
        switch request {
        case .alive(let node):
            guard isLocal else { return refuse("a registration", id) }
            guard identifiesUsers else { return register(node, id, nil) }
            connections[id] = .identifying(node)
            return [.identify(id)]
        case .portPlease(let name):
            guard let registration = registry.lookUp(name) else {
                return reply(EPMDPortReply.notRegistered(result: 1).encoded, id)
            }
            return reply(EPMDPortReply.found(registration.node).encoded, id)
        case .names:
            let names = registry.all.map { EPMDName(name: $0.node.name, port: $0.node.port) }
            return reply(EPMDListing(port: UInt32(port), names: names).encoded, id)
        case .dump:
            guard isLocal else { return refuse("DUMP", id) }
            return reply(EPMDListing(port: UInt32(port), text: dump()).encoded, id)
        case .kill:
            guard isLocal else { return refuse("KILL", id) }
            guard isRelaxed || registry.isEmpty else {
                return reply(EPMDCommandReply.no.encoded, id)
            }
            connections[id] = .closing
            return [.send(EPMDCommandReply.ok.encoded, to: id), .end(after: id)]
        case .stop(let name):
            guard isLocal else { return refuse("STOP", id) }
            guard isRelaxed else { return close(id, reporting: .refused("STOP, not relaxed")) }
            guard let registration = registry.lookUp(name) else {
                return reply(EPMDCommandReply.noSuchName.encoded, id)
            }
            return close(registration.connection) + reply(EPMDCommandReply.stopped.encoded, id)
        }
    }

    private mutating func register(
        _ node: EPMDNodeInfo, _ id: ConnectionID, _ user: UInt32?
    ) -> [Action] {
        let version = node.highestVersion
        if let reason = share.refusal(of: user) { return refuse(node, id, reason) }
        guard let creation = registry.register(node, by: id) else {
            return refuse(node, id, "the name is already in use")
        }
        share.registered(by: user)
        connections[id] = .registered(user: user)
        let registered = EPMDAliveReply.registered(creation: creation)
        return [
            .send(registered.encoded(highestVersion: version), to: id),
            .report(.registered(node, creation: creation)),
        ]
    }

    private mutating func refuse(
        _ node: EPMDNodeInfo, _ id: ConnectionID, _ reason: String
    ) -> [Action] {
        let refused = EPMDAliveReply.refused(result: 1)
        return [.report(.refused("`\(node.name)`: \(reason)"))]
            + reply(refused.encoded(highestVersion: node.highestVersion), id)
    }

    /// One line for each registration, which also ends with a NUL. OTP's daemon prints a descriptor
    /// where this prints the connection's number. Source: "Dump All Data from EPMD",
    /// erl_dist_protocol.
    private func dump() -> [UInt8] {
        registry.all.flatMap { registration in
            let node = registration.node
            let line =
                "active name     <\(node.name)> at port \(node.port),"
                + " fd = \(registration.connection)"
            return Array("\(line)\n\0".utf8)
        }
    }

    // MARK: Ends

    private mutating func reply(_ bytes: [UInt8], _ id: ConnectionID) -> [Action] {
        connections[id] = .closing
        return [.send(bytes, to: id), .closeAfterSending(id)]
    }

    private mutating func refuse(_ what: String, _ id: ConnectionID) -> [Action] {
        close(id, reporting: .refused("\(what) from another host"))
    }

    private mutating func close(
        _ id: ConnectionID, reporting event: EPMDDaemon.Event? = nil
    ) -> [Action] {
        let connection = connections.removeValue(forKey: id)
        let unregistered = unregister(id, connection)
        return [.close(id)] + (event.map { [.report($0)] } ?? []) + unregistered
    }

    private mutating func unregister(_ id: ConnectionID, _ connection: Connection?) -> [Action] {
        guard let registration = registry.unregister(by: id) else { return [] }
        if case .registered(let user)? = connection { share.unregistered(by: user) }
        return [.report(.unregistered(registration.node))]
    }
}

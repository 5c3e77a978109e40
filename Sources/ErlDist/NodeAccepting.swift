internal import ExternalTermFormat
internal import Glibc
public import Transport

extension Node {
    /// Accepts connections of other nodes on `address`; port 0 lets the system choose.
    /// - Returns: where it listens, for the registration with EPMD.
    @discardableResult
    public func listen(on address: SocketAddress) throws(SystemError) -> SocketAddress {
        precondition(name != nil, "A node that asks for its name cannot be connected to")
        let listener = try TCPListener(on: address, loop: loop, limits: streamLimits)
        try listener.start { stream in self.acceptTCP(stream) }
        self.listener?.close()
        self.listener = listener
        return listener.address
    }

    /// Accepts connections on the first port of `ports` that is free, as `inet_dist_listen_min` and
    /// `inet_dist_listen_max` mean it. The address's own port means nothing.
    /// - Throws: what is wrong with the last port when none is free.
    @discardableResult
    public func listen(
        on address: SocketAddress, ports: ClosedRange<UInt16>
    ) throws(SystemError) -> SocketAddress {
        var address = address
        for port in ports.dropLast() {
            address.port = port
            do throws(SystemError) {
                return try listen(on: address)
            } catch {
                guard error.code == EADDRINUSE || error.code == EACCES else { throw error }
            }
        }
        address.port = ports.upperBound
        return try listen(on: address)
    }

    /// Handshake packets have longer lengths under TLS. Source: `inet_tls_dist.erl`.
    var lengthWidth: HandshakePacketDecoder.LengthWidth {
        configuration.tls == nil ? .twoBytes : .fourBytes
    }

    private func acceptTCP(_ tcp: TCPStream) {
        guard isAdmitted(tcp) else { return tcp.close() }
        let caller = identify(tcp)
        guard let tls = configuration.tls else { return accept(tcp, caller) }
        // Its files are looked at elsewhere; it ends when the connection has begun or is closed.
        Task { await withTaskExecutorPreference(loop) { await accept(tcp, with: tls, caller) } }
    }

    private func accept(
        _ tcp: TCPStream, with tls: DistributionTLS, _ caller: PeerIdentification.Finding
    ) async {
        do throws(TLSConfigurationError) {
            let stream = try await tls.accept(
                tcp, on: loop, limits: streamLimits,
                handshakeTimeout: configuration.connectTimeout)
            // The node may have been closed meanwhile.
            guard listener != nil else { return stream.close() }
            accept(stream, caller)
        } catch {
            report(.error, cause: "\(error)", of: "the configuration of TLS", "\(error)")
        }
    }

    private func accept(_ stream: any ByteStream, _ caller: PeerIdentification.Finding) {
        guard let name else { return stream.close() }
        let creation = creation
        let challenge = UInt32.random(in: 0 ... .max)
        let handshake = ServerHandshake(
            name: name, creation: creation, flags: configuration.flags, cookie: cookie,
            challenge: challenge)
        let connection = Connection(
            stream: stream, loop: loop, handshake: .server(handshake), limits: connectionLimits)
        accepting[ObjectIdentifier(connection)] = connection
        challenges.begin(ObjectIdentifier(connection), challenge)
        makeRoom(for: connection)
        connection.start(lengthWidth: lengthWidth) { event in
            self.handleAccepted(event, connection, creation, caller)
        }
    }

    /// Without TLS only this host is answered, unless the owner of the node wants more.
    private func isAdmitted(_ tcp: TCPStream) -> Bool {
        let peers =
            configuration.admittedPeers ?? (configuration.tls == nil ? .thisHost : .everybody)
        let peer = tcp.peerAddress
        guard !peers.admit(peer, to: tcp.localAddress) else { return true }
        report(
            .warning, cause: "another host", of: PeerSource(peer),
            "A connection from \(peer) was refused: it comes from another host, and this node"
                + " answers only those of its own")
        return false
    }

    private func identify(_ tcp: TCPStream) -> PeerIdentification.Finding {
        let (peer, own) = (tcp.peerAddress, tcp.localAddress)
        guard AdmittedPeers.isOfThisHost(peer, to: own) else {
            return PeerIdentification.Finding(isKnown: true)
        }
        let finding = identification.begin()
        guard !finding.isKnown else { return finding }
        Task {
            let user = await offload { ConnectingUser.text(peer: peer, own: own) }
            identification.end(finding, user)
        }
        return finding
    }

    private func makeRoom(for connection: Connection) {
        let id = ObjectIdentifier(connection)
        guard let oldest = handshakes.begin(id, from: PeerSource(connection.peerAddress)),
            let oldest = accepting.removeValue(forKey: oldest)
        else { return }
        challenges.end(ObjectIdentifier(oldest))
        report(
            .warning, cause: "too many handshakes", of: PeerSource(oldest.peerAddress),
            "More than \(configuration.maximumHandshakes) connections are in their handshake:"
                + " closing the oldest of \(oldest.peerAddress.host)")
        oldest.close()
    }

    private func handshakeEnded(_ connection: Connection) {
        accepting[ObjectIdentifier(connection)] = nil
        handshakes.end(ObjectIdentifier(connection))
        challenges.end(ObjectIdentifier(connection))
    }

    private func handleAccepted(
        _ event: Connection.Event, _ connection: Connection, _ creation: UInt32,
        _ caller: PeerIdentification.Finding
    ) {
        switch event {
        case .applicant(let applicant):
            if case .named(let name) = applicant { caller.name = name }
            connection.decide(decision(applicant))
        case .connected(let peer):
            handshakeEnded(connection)
            let source = PeerSource(connection.peerAddress)
            adopt(connection, peer, ownCreation: creation)
            let address = connection.peerAddress
            caller.whenKnown {
                // Counted apart: who connects all the time hides nobody that is refused.
                self.report(
                    .info, cause: nil, of: "connected from \(PeerSource(address))",
                    "\(peer.name) has connected from \(address)\(caller.text)")
            }
            admit(peer.name.atom, from: source)
        case .received, .answered, .quiet, .holding, .ended(.disconnected):
            preconditionFailure("An adopted connection has another handler")
        case .ended(.handshake(let error)):
            handshakeEnded(connection)
            let address = connection.peerAddress
            caller.whenKnown {
                self.report(
                    .warning, cause: "\(error)", of: PeerSource(address),
                    "A connection from \(address)\(caller.textWithName) was refused: \(error)")
            }
        }
    }

    private func admit(_ peer: Atom, from source: PeerSource) {
        guard let oldest = budget.admit(peer, from: source), let victim = links[oldest] else {
            return
        }
        makeRoom(
            closing: victim, cause: "too many connections",
            "More than \(configuration.maximumAcceptedConnections) nodes have connected themselves")
    }

    /// What an applicant is answered. Source: `net_kernel`'s `accept_pending`.
    private func decision(_ applicant: ServerHandshake.Applicant) -> ServerHandshake.Decision {
        guard let name else { return .refuse }
        switch applicant {
        case .asking(let host):
            var alive = String(UInt64.random(in: 0 ... .max), radix: 36, uppercase: true)
            while alive.count < 13 { alive = "0" + alive }
            guard let assigned = try? NodeName(alive: alive, host: host) else { return .refuse }
            return .assign(assigned, creation: UInt32.random(in: 4 ... .max))
        case .named(let caller):
            if caller.atom == name.atom { return .refuse }
            if links[caller.atom] != nil { return .askWhetherToReplace }
            // From its beginning, before the peer can know: if the other connection were accepted and
            // ours went on, each side could choose another one and both would end.
            guard attempts[caller.atom] != nil else { return .accept }
            return ServerHandshake.arbitrate(own: name, applicant: caller)
        }
    }
}

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
        try listener.start { stream in self.accept(stream) }
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

    private func accept(_ tcp: TCPStream) {
        guard let name else { return tcp.close() }
        guard isAdmitted(tcp) else { return tcp.close() }
        let caller = identify(tcp)
        let stream: any ByteStream
        do throws(TLSConfigurationError) {
            stream =
                try configuration.tls?.accept(
                    tcp, on: loop, limits: streamLimits,
                    handshakeTimeout: configuration.connectTimeout) ?? tcp
        } catch {
            return report(.error, cause: "\(error)", of: "the configuration of TLS", "\(error)")
        }
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
            .warning, cause: "another host", of: "connections from \(peer.host)",
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
        guard let oldest = handshakes.begin(id, from: connection.peerAddress.octets),
            let oldest = accepting.removeValue(forKey: oldest)
        else { return }
        challenges.end(ObjectIdentifier(oldest))
        report(
            .warning, cause: "too many", of: "handshakes",
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
            adopt(connection, peer, ownCreation: creation)
            let address = connection.peerAddress
            caller.whenKnown {
                self.onLog?(.info, "\(peer.name) has connected from \(address)\(caller.text)")
            }
        case .received, .answered, .quiet, .ended(.disconnected):
            preconditionFailure("An adopted connection has another handler")
        case .ended(.handshake(let error)):
            handshakeEnded(connection)
            let address = connection.peerAddress
            caller.whenKnown {
                self.report(
                    .warning, cause: "\(error)", of: "connections from \(address.host)",
                    "A connection from \(address)\(caller.textWithName) was refused: \(error)")
            }
        }
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

internal import ExternalTermFormat
internal import Glibc
public import Transport

extension Node {
    /// Accepts connections of other nodes on `address`; port 0 lets the system choose.
    /// - Returns: where it listens, for the registration with EPMD.
    /// - Throws: `EINVAL` for a node that has no name: nobody could connect to it.
    @discardableResult
    public func listen(on address: SocketAddress) throws(SystemError) -> SocketAddress {
        guard name != nil else {
            throw SystemError("listening without a name of the node", code: EINVAL)
        }
        let listener = try TCPListener(on: address, loop: loop, limits: configuration.stream)
        try listener.start { stream in self.acceptTCP(stream) }
        accepted.listen(listener)
        return listener.address
    }

    /// Accepts connections on the first free port of `ports`, as with `inet_dist_listen_min` and
    /// `inet_dist_listen_max`. It ignores the port of `address`.
    /// - Throws: the error of the last port when none is free.
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

    private func acceptTCP(_ tcp: TCPStream) {
        let isOfThisHost = AdmittedPeers.isOfThisHost(tcp.peerAddress, to: tcp.localAddress)
        guard isAdmitted(tcp, isOfThisHost: isOfThisHost) else { return tcp.close() }
        let caller = identify(tcp, isOfThisHost: isOfThisHost)
        guard let tls = configuration.tls else {
            return accept(tcp, caller, deadline: .now + configuration.connectTimeout)
        }
        // The disk may be slow, so reading the files counts for a part of the handshake's time.
        let deadline = MonotonicTime.now + configuration.connectTimeout
        let timer = loop.schedule(at: deadline) {
            self.accepted.close(tcp)
            self.report(
                .warning, cause: "files", of: "the configuration of TLS",
                "A connection from \(tcp.peerAddress) was closed: the files of TLS cannot be looked at"
                    + " in time")
        }
        reportRoomMade(by: accepted.prepare(tcp, timer))
        Task {
            await withTaskExecutorPreference(loop) {
                await accept(tcp, with: tls, caller, deadline: deadline)
            }
        }
    }

    private func accept(
        _ tcp: TCPStream, with tls: DistributionTLS, _ caller: PeerIdentification.Finding,
        deadline: MonotonicTime
    ) async {
        await tls.look()
        // The connection may have been closed meanwhile, to make room or because the node was
        // closed.
        guard accepted.endPreparing(tcp) else { return tcp.close() }
        do throws(TLSConfigurationError) {
            let stream = try tls.accept(
                tcp, on: loop, limits: configuration.stream, handshakeTimeout: deadline - .now)
            accept(stream, caller, replacing: tcp, deadline: deadline)
        } catch {
            accepted.close(tcp)
            report(.error, cause: "\(error)", of: "the configuration of TLS", "\(error)")
        }
    }

    /// - Parameter former: the TCP stream below `stream`, if it was prepared.
    private func accept(
        _ stream: any ByteStream, _ caller: PeerIdentification.Finding,
        replacing former: TCPStream? = nil, deadline: MonotonicTime
    ) {
        guard let name else { return stream.close() }
        let creation = creation
        let challenge = UInt32.random(in: 0 ... .max)
        let handshake = ServerHandshake(
            name: name, creation: creation, flags: configuration.flags, cookie: cookie,
            challenge: challenge)
        var limits = configuration.connection
        limits.handshakeDeadline = deadline - .now
        let connection = Connection(
            stream: stream, loop: loop, handshake: .server(handshake), limits: limits)
        reportRoomMade(by: accepted.shakeHands(connection, challenge, replacing: former))
        connection.start(lengthWidth: configuration.lengthWidth) { event in
            self.handleAccepted(event, connection, creation, caller)
        }
    }

    /// Without TLS only this host may connect, unless the configuration says more.
    private func isAdmitted(_ tcp: TCPStream, isOfThisHost: Bool) -> Bool {
        let peers =
            configuration.admittedPeers ?? (configuration.tls == nil ? .thisHost : .everybody)
        let peer = tcp.peerAddress
        guard !peers.admit(peer, isOfThisHost: isOfThisHost) else { return true }
        report(
            .warning, cause: "another host", of: PeerSource(peer),
            "A connection from \(peer) was refused: it comes from another host, and this node"
                + " answers only those of its own")
        return false
    }

    private func identify(_ tcp: TCPStream, isOfThisHost: Bool) -> PeerIdentification.Finding {
        let (peer, own) = (tcp.peerAddress, tcp.localAddress)
        guard isOfThisHost else {
            return PeerIdentification.Finding(isKnown: true, address: own)
        }
        let finding = identification.begin(address: own)
        guard !finding.isKnown else { return finding }
        // Ask at once: a peer that is refused is gone a moment later.
        let asked = ConnectingSocket.asked(peer: peer, own: own)
        Task {
            let user = await offload { () -> String? in
                // The user is for the log only, which leaves out unknown users.
                guard
                    let socket = asked ?? (try? ConnectingSocket.find(peer: peer, own: own)) ?? nil
                else { return nil }
                return UserNames.ofHost.text(socket.user)
            }
            identification.end(finding, user)
        }
        return finding
    }

    private func reportRoomMade(by address: SocketAddress?) {
        guard let address else { return }
        report(
            .warning, cause: "too many handshakes", of: PeerSource(address),
            "More than \(configuration.maximumHandshakes) connections are in their handshake:"
                + " closing the oldest of \(address.host)")
    }

    private func handleAccepted(
        _ event: Connection.Event, _ connection: Connection, _ creation: UInt32,
        _ caller: PeerIdentification.Finding
    ) {
        switch event {
        case .applicant(let applicant):
            if case .named(let name) = applicant { caller.name = name }
            guard case .named(let name) = applicant, let admission = configuration.admission else {
                return connection.decide(decision(applicant))
            }
            let (peer, own) = (connection.peerAddress, caller.address)
            Task {
                caller.refusal = await admission(name, peer, own)
                // Decide after the answer: other nodes may have connected meanwhile.
                connection.decide(caller.refusal == nil ? decision(applicant) : .refuse)
            }
        case .connected(let peer):
            accepted.end(connection)
            let source = PeerSource(connection.peerAddress)
            let adopted = adopt(connection, peer, ownCreation: creation)
            let address = connection.peerAddress
            caller.whenKnown {
                // These lines have a source of their own, so that many connections do not hide a
                // refusal.
                self.report(
                    .info, cause: nil, of: "connected from \(PeerSource(address))",
                    "\(peer.name) has connected from \(address)\(caller.text)")
            }
            admit(adopted, from: source)
        case .received, .answered, .quiet, .holding, .ended(.disconnected):
            preconditionFailure("An adopted connection has another handler")
        case .ended(.handshake(let error)):
            accepted.end(connection)
            let address = connection.peerAddress
            let reason = caller.refusal ?? "\(error)"
            caller.whenKnown {
                self.report(
                    .warning, cause: reason, of: PeerSource(address),
                    "A connection from \(address)\(caller.textWithName) was refused: \(reason)")
            }
        }
    }

    private func admit(_ peer: PeerConnection, from source: PeerSource) {
        guard let victim = peers.admit(peer, from: source) else { return }
        makeRoom(
            closing: victim, cause: "too many connections",
            "More than \(configuration.maximumAcceptedConnections) nodes have connected themselves")
    }

    /// The answer to an applicant. Source: `net_kernel`'s `accept_pending`.
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
            if peers[caller.atom] != nil { return .askWhetherToReplace }
            // This counts from the attempt's beginning, before the peer can know of it. If we
            // accepted this connection and our own attempt went on, each side could choose another
            // connection, and both would end.
            guard attempts[caller.atom] != nil else { return .accept }
            return ServerHandshake.arbitrate(own: name, applicant: caller)
        }
    }
}

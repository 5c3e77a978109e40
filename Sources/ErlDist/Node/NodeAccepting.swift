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
        let isOfThisHost = AdmittedPeers.isOfThisHost(tcp.peerAddress, to: tcp.localAddress)
        guard isAdmitted(tcp, isOfThisHost: isOfThisHost) else { return tcp.close() }
        let caller = identify(tcp, isOfThisHost: isOfThisHost)
        guard let tls = configuration.tls else {
            return accept(tcp, caller, deadline: .now + configuration.connectTimeout)
        }
        // Its files are looked at elsewhere: that is a part of the handshake, for the disk may be slow.
        let deadline = MonotonicTime.now + configuration.connectTimeout
        let id = ObjectIdentifier(tcp)
        let timer = loop.schedule(at: deadline) {
            self.closeAccepting(id)
            self.report(
                .warning, cause: "files", of: "the configuration of TLS",
                "A connection from \(tcp.peerAddress) was closed: the files of TLS cannot be looked at"
                    + " in time")
        }
        accepting[id] = .preparing(tcp, timer)
        makeRoom(for: id, from: tcp.peerAddress)
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
        // It may have made room, or the node may have been closed meanwhile.
        guard case .preparing(let waiting, let timer) = accepting[ObjectIdentifier(tcp)],
            waiting === tcp
        else { return tcp.close() }
        timer.cancel()
        do throws(TLSConfigurationError) {
            let stream = try tls.accept(
                tcp, on: loop, limits: streamLimits, handshakeTimeout: deadline - .now)
            accept(stream, caller, replacing: ObjectIdentifier(tcp), deadline: deadline)
        } catch {
            closeAccepting(ObjectIdentifier(tcp))
            report(.error, cause: "\(error)", of: "the configuration of TLS", "\(error)")
        }
    }

    /// - Parameter former: what stands for it so far among those that are being accepted.
    private func accept(
        _ stream: any ByteStream, _ caller: PeerIdentification.Finding,
        replacing former: ObjectIdentifier? = nil, deadline: MonotonicTime
    ) {
        guard let name else { return stream.close() }
        let creation = creation
        let challenge = UInt32.random(in: 0 ... .max)
        let handshake = ServerHandshake(
            name: name, creation: creation, flags: configuration.flags, cookie: cookie,
            challenge: challenge)
        var limits = connectionLimits
        limits.handshakeDeadline = deadline - .now
        let connection = Connection(
            stream: stream, loop: loop, handshake: .server(handshake), limits: limits)
        let id = ObjectIdentifier(connection)
        accepting[id] = .shakingHands(connection)
        challenges.begin(id, challenge)
        if let former {
            accepting[former] = nil
            handshakes.replace(former, by: id)
        } else {
            makeRoom(for: id, from: connection.peerAddress)
        }
        connection.start(lengthWidth: lengthWidth) { event in
            self.handleAccepted(event, connection, creation, caller)
        }
    }

    /// Without TLS only this host is answered, unless the owner of the node wants more.
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
        // Here and now: whoever is refused at once is gone a moment later.
        let asked = ConnectingSocket.asked(peer: peer, own: own)
        Task {
            let user = await offload { () -> String? in
                // Only for the log: nothing is said of whom it cannot be found out.
                guard
                    let socket = asked ?? (try? ConnectingSocket.find(peer: peer, own: own)) ?? nil
                else { return nil }
                return UserNames.ofHost.text(socket.user)
            }
            identification.end(finding, user)
        }
        return finding
    }

    private func makeRoom(for id: ObjectIdentifier, from peer: SocketAddress) {
        guard let oldest = handshakes.begin(id, from: PeerSource(peer)),
            let address = accepting[oldest]?.peerAddress
        else { return }
        closeAccepting(oldest)
        report(
            .warning, cause: "too many handshakes", of: PeerSource(address),
            "More than \(configuration.maximumHandshakes) connections are in their handshake:"
                + " closing the oldest of \(address.host)")
    }

    private func closeAccepting(_ id: ObjectIdentifier) {
        accepting.removeValue(forKey: id)?.close()
        handshakes.end(id)
        challenges.end(id)
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
            guard case .named(let name) = applicant, let admission = configuration.admission else {
                return connection.decide(decision(applicant))
            }
            let (peer, own) = (connection.peerAddress, caller.address)
            Task {
                caller.refusal = await admission(name, peer, own)
                // Only now: others may have connected meanwhile.
                connection.decide(caller.refusal == nil ? decision(applicant) : .refuse)
            }
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
            let reason = caller.refusal ?? "\(error)"
            caller.whenKnown {
                self.report(
                    .warning, cause: reason, of: PeerSource(address),
                    "A connection from \(address)\(caller.textWithName) was refused: \(reason)")
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

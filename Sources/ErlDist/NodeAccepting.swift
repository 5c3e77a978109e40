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
        guard let tls = configuration.tls else { return accept(tcp) }
        // Its files are looked at elsewhere; it ends when the connection has begun or is closed.
        Task(executorPreference: loop) { await self.accept(tcp, with: tls) }
    }

    private func accept(_ tcp: TCPStream, with tls: DistributionTLS) async {
        do throws(TLSConfigurationError) {
            let stream = try await tls.accept(
                tcp, on: loop, limits: streamLimits,
                handshakeTimeout: configuration.connectTimeout)
            // The node may have been closed meanwhile.
            guard listener != nil else { return stream.close() }
            accept(stream)
        } catch {
            report(.error, cause: "\(error)", of: "the configuration of TLS", "\(error)")
        }
    }

    private func accept(_ stream: any ByteStream) {
        guard let name else { return stream.close() }
        let creation = creation
        let handshake = ServerHandshake(
            name: name, creation: creation, flags: configuration.flags, cookie: cookie,
            challenge: .random(in: 0 ... .max))
        let connection = Connection(
            stream: stream, loop: loop, handshake: .server(handshake), limits: connectionLimits)
        accepting[ObjectIdentifier(connection)] = connection
        makeRoom(for: connection)
        connection.start(lengthWidth: lengthWidth) { event in
            self.handleAccepted(event, connection, creation)
        }
    }

    private func makeRoom(for connection: Connection) {
        let id = ObjectIdentifier(connection)
        guard let oldest = handshakes.begin(id, from: connection.peerAddress.octets),
            let oldest = accepting.removeValue(forKey: oldest)
        else { return }
        report(
            .warning, cause: "too many", of: "handshakes",
            "More than \(configuration.maximumHandshakes) connections are in their handshake:"
                + " closing the oldest of \(oldest.peerAddress.host)")
        oldest.close()
    }

    private func handshakeEnded(_ connection: Connection) {
        accepting[ObjectIdentifier(connection)] = nil
        handshakes.end(ObjectIdentifier(connection))
    }

    private func handleAccepted(
        _ event: Connection.Event, _ connection: Connection, _ creation: UInt32
    ) {
        switch event {
        case .applicant(let applicant): connection.decide(decision(applicant))
        case .connected(let peer):
            handshakeEnded(connection)
            adopt(connection, peer, ownCreation: creation)
        case .received, .answered, .quiet, .ended(.disconnected):
            preconditionFailure("An adopted connection has another handler")
        case .ended(.handshake(let error)):
            handshakeEnded(connection)
            let address = connection.peerAddress
            report(
                .warning, cause: "\(error)", of: "connections from \(address.host)",
                "A connection from \(address) was refused: \(error)")
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

internal import ExternalTermFormat
internal import Transport

extension Node {
    // MARK: Dialling

    /// Connects to a node, unless it is connected already. Several calls at once share one attempt.
    public func connect(to node: NodeName) async throws(CallError) {
        guard peers[node.atom] == nil else { return }
        // The resolver, connecting and the handshake have a third each.
        try await connect(to: node, deadline: .now + configuration.connectTimeout * 3)
    }

    func connect(to node: NodeName, deadline: MonotonicTime) async throws(CallError) {
        let attempt = attempts[node.atom] ?? startAttempt(node)
        let waiter = identity.makeNumber()
        let error = await suspend { continuation in
            attempt.wait(waiter, until: deadline, on: loop, continuation)
        } onCancel: {
            $0.attempts[node.atom]?.endWait(waiter, .cancelled)
        }
        if let error { throw error }
    }

    private func startAttempt(_ node: NodeName) -> Attempt {
        // A node without a name waits for its first answer before it asks again.
        let others = name == nil ? attempts.tasks : []
        let attempt = attempts.begin(node.atom)
        attempt.task = Task {
            for other in others { await other.value }
            // Code that is not isolated, such as asking EPMD and connecting, stays on the loop.
            let error = await withTaskExecutorPreference(loop) { await dial(node, attempt) }
            attempts.finish(node.atom, attempt, error)
        }
        return attempt
    }

    /// - Returns: `nil` when the node is connected.
    private func dial(_ node: NodeName, _ attempt: Attempt) async -> CallError? {
        var search: AddressSearch
        do {
            if let port = node.port {
                search = AddressSearch(
                    host: node.host, port: port, ownHost: OwnHost([identity.host]))
            } else {
                search = try await resolver(node)
            }
        } catch {
            return .unreachable("connecting to \(node): \(error)")
        }
        var failure: CallError?
        let trust = await configuration.trust(node)
        while true {
            let address: SocketAddress
            do throws(ResolutionError) {
                guard let next = try await search.next() else { break }
                address = next
            } catch {
                failure = failure ?? .unreachable("connecting to \(node): \(error)")
                break
            }
            guard peers[node.atom] == nil else { return nil }
            do {
                // This applies under TLS too, although there the certificate is the proof.
                let tcp = try await trust.connect(
                    to: address, timeout: configuration.connectTimeout, on: loop,
                    limits: configuration.stream)
                let stream: any ByteStream =
                    try await configuration.tls?.connect(
                        tcp, to: node.host, on: loop, limits: configuration.stream,
                        handshakeTimeout: configuration.connectTimeout) ?? tcp
                guard let error = await shakeHands(stream, node, attempt) else { return nil }
                failure = error
                if case .unreachable = error, configuration.tls != nil,
                    await answersWithoutTLS(node, at: address, trust)
                {
                    failure = Self.callError(.peerLacksTLS, node)
                }
                // Something listens there. The other addresses of the name are the same node, so
                // they are not tried.
                break
            } catch let refusal as ListenerRefusal where refusal.reason != .changed {
                report(
                    .error, cause: "\(refusal.reason)", of: "listeners for \(node)",
                    "\(node) is not connected to: \(refusal)")
                failure = .refused("connecting to \(node): \(refusal)")
            } catch {
                // The first address is the most likely one, so its error is kept.
                failure = failure ?? .unreachable("connecting to \(node): \(error)")
            }
        }
        guard peers[node.atom] == nil else { return nil }
        return failure ?? .unreachable("connecting to \(node): it has no address")
    }

    /// Whether the node at `address`, which completed no TLS handshake, answers without TLS.
    private func answersWithoutTLS(
        _ node: NodeName, at address: SocketAddress, _ trust: ListenerTrust
    ) async -> Bool {
        guard peers[node.atom] == nil, !Task.isCancelled else { return false }
        do {
            let stream = try await trust.connect(
                to: address, timeout: .seconds(1), on: loop, limits: configuration.stream)
            let name = HandshakeMessage.SentName(
                flags: configuration.flags.union(.nameMe), creation: 0, name: identity.host)
            return await PlainAnswer.comes(over: stream, to: name, within: .seconds(1), on: loop)
        } catch {
            return false
        }
    }

    private func shakeHands(
        _ stream: any ByteStream, _ node: NodeName, _ attempt: Attempt
    ) async -> CallError? {
        guard peers[node.atom] == nil, !Task.isCancelled else {
            stream.close()
            return peers[node.atom] == nil ? .connectionLost(.disconnected) : nil
        }
        let applicant: ClientHandshake.Identity =
            name.map { .named($0, creation: creation) } ?? .asking(host: identity.host)
        let handshake = ClientHandshake(
            identity: applicant, to: node, flags: configuration.flags, cookie: cookie,
            challenge: .random(in: 0 ... .max),
            isOwnChallenge: { [accepted] in accepted.isOwnChallenge($0) })
        let connection = Connection(
            stream: stream, loop: loop, handshake: .client(handshake),
            limits: configuration.connection)
        return await withCheckedContinuation { continuation in
            attempt.shakeHands(on: connection, continuation)
            let creation = creation
            connection.start(lengthWidth: configuration.lengthWidth) { event in
                self.handleDialled(event, connection, node, attempt, creation)
            }
        }
    }

    private func handleDialled(
        _ event: Connection.Event, _ connection: Connection, _ node: NodeName, _ attempt: Attempt,
        _ creation: UInt32
    ) {
        switch event {
        case .applicant: preconditionFailure("A dialled connection has no applicant")
        case .connected(let peer):
            if let assigned = peer.assignedName { identity.assign(assigned) }
            attempt.letGoOfConnection()
            let own = peer.assignedName?.creation ?? creation
            peers.use(adopt(connection, peer, ownCreation: own))
            attempt.endHandshake(nil)
        case .received, .answered, .quiet, .holding, .ended(.disconnected):
            preconditionFailure("An adopted connection has another handler")
        case .ended(.handshake(let error)):
            attempt.letGoOfConnection()
            if error == .reflectedChallenge {
                let address = connection.peerAddress
                report(
                    .error, cause: "\(error)", of: "listeners for \(node)",
                    "\(node) at \(address) is not connected to: \(error)")
            }
            guard error == .simultaneousConnect else {
                return attempt.endHandshake(Self.callError(error, node))
            }
            // The peer's own connection to us comes up soon, or not at all.
            loop.schedule(after: configuration.connectTimeout) {
                attempt.endHandshake(Self.callError(error, node))
            }
        }
    }

    private static func callError(_ error: HandshakeError, _ node: NodeName) -> CallError {
        switch error {
        case .wrongCookie: .wrongCookie
        case .missingFlags, .notAllowed, .simultaneousConnect, .alreadyConnected, .unexpectedNode,
            .nameRejected, .unexpectedStatus, .invalidName, .reflectedChallenge, .peerUsesTLS,
            .peerLacksTLS, .givesNoName:
            .refused("connecting to \(node): \(error)")
        case .unexpectedMessage, .truncated, .messageTooLong, .timedOut, .connectionClosed:
            .unreachable("connecting to \(node): \(error)")
        }
    }
}

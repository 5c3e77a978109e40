internal import ExternalTermFormat
internal import Transport

extension Node {
    // MARK: Dialling

    /// Connects to a node, unless it is connected already. Many who ask at once share one attempt.
    public func connect(to node: NodeName) async throws(CallError) {
        guard links[node.atom] == nil else { return }
        // For the resolver, connecting, and the handshake.
        try await connect(to: node, deadline: .now + configuration.connectTimeout * 3)
    }

    func connect(to node: NodeName, deadline: MonotonicTime) async throws(CallError) {
        let attempt = attempts[node.atom] ?? startAttempt(node)
        nextToken &+= 1
        let waiter = nextToken
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                attempt.waiters[waiter] = .init(continuation: continuation)
                attempt.waiters[waiter]?.timer = loop.schedule(at: deadline) {
                    attempt.waiters.removeValue(forKey: waiter)?.continuation.resume(
                        returning: .timedOut)
                }
            }
        } onCancel: {
            Task { await self.cancelWait(waiter, for: node.atom) }
        }
        if let error { throw error }
    }

    /// Ends one task's wait; the attempt goes on for the others.
    private func cancelWait(_ waiter: UInt64, for node: Atom) {
        guard let waiter = attempts[node]?.waiters.removeValue(forKey: waiter) else { return }
        waiter.timer?.cancel()
        waiter.continuation.resume(returning: .cancelled)
    }

    private func startAttempt(_ node: NodeName) -> Attempt {
        let attempt = Attempt()
        attempts[node.atom] = attempt
        // A node without a name must have its first answer before it asks again.
        let others = name == nil ? attempts.values.compactMap(\.task) : []
        attempt.task = Task {
            for other in others { await other.value }
            // Without the preference what is not isolated, such as asking EPMD and connecting, would hop
            // to the global pool and back at each step.
            let error = await withTaskExecutorPreference(loop) { await dial(node, attempt) }
            finish(node.atom, attempt, error)
        }
        return attempt
    }

    private func finish(_ node: Atom, _ attempt: Attempt, _ error: CallError?) {
        if attempts[node] === attempt { attempts[node] = nil }
        attempt.connection?.close()
        attempt.connection = nil
        let waiters = attempt.waiters
        attempt.waiters = [:]
        for waiter in waiters.values {
            waiter.timer?.cancel()
            waiter.continuation.resume(returning: error)
        }
    }

    /// - Returns: `nil` when the node is connected.
    private func dial(_ node: NodeName, _ attempt: Attempt) async -> CallError? {
        let addresses: [SocketAddress]
        do {
            if let port = node.port {
                addresses = try await SocketAddress.resolve(node.host, port: port)
            } else {
                addresses = try await resolver(node)
            }
        } catch {
            return .unreachable("connecting to \(node): \(error)")
        }
        var failure = CallError.unreachable("connecting to \(node): it has no address")
        let trust = await configuration.trust(node)
        for address in addresses {
            guard links[node.atom] == nil else { return nil }
            do {
                // Under TLS too, where the certificate is the proof: it costs next to nothing.
                let tcp = try await trust.connect(
                    to: address, timeout: configuration.connectTimeout, on: loop,
                    limits: streamLimits)
                let stream: any ByteStream =
                    try await configuration.tls?.connect(
                        tcp, to: node.host, on: loop, limits: streamLimits,
                        handshakeTimeout: configuration.connectTimeout) ?? tcp
                guard let error = await shakeHands(stream, node, attempt) else { return nil }
                failure = error
                // Someone listens there: other addresses of the same name say the same.
                break
            } catch let refusal as ListenerRefusal where refusal.reason != .changed {
                report(
                    .error, cause: "\(refusal.reason)", of: "listeners for \(node)",
                    "\(node) is not connected to: \(refusal)")
                failure = .refused("connecting to \(node): \(refusal)")
            } catch {
                failure = .unreachable("connecting to \(node): \(error)")
            }
        }
        return links[node.atom] == nil ? failure : nil
    }

    var streamLimits: StreamLimits {
        var limits = StreamLimits()
        // Beyond what calls may fill, so that acknowledgements and replies still have room.
        limits.queuedByteCount = configuration.queuedByteCount + (8 << 20)
        return limits
    }

    var connectionLimits: Connection.Limits {
        var limits = Connection.Limits()
        limits.handshakeDeadline = configuration.connectTimeout
        limits.tickTime = configuration.tickTime
        limits.terms = configuration.terms
        limits.queuedByteCount = configuration.queuedByteCount
        limits.busyByteCount = min(limits.busyByteCount, configuration.queuedByteCount / 2)
        return limits
    }

    private func shakeHands(
        _ stream: any ByteStream, _ node: NodeName, _ attempt: Attempt
    ) async -> CallError? {
        guard links[node.atom] == nil, !Task.isCancelled else {
            stream.close()
            return links[node.atom] == nil ? .connectionLost(.disconnected) : nil
        }
        let identity: ClientHandshake.Identity =
            if let name { .named(name, creation: creation) } else { .asking(host: host) }
        let handshake = ClientHandshake(
            identity: identity, to: node, flags: configuration.flags, cookie: cookie,
            challenge: .random(in: 0 ... .max),
            isOwnChallenge: { self.challenges.contains($0) })
        let connection = Connection(
            stream: stream, loop: loop, handshake: .client(handshake), limits: connectionLimits)
        attempt.connection = connection
        return await withCheckedContinuation { continuation in
            attempt.handshakeEnded = continuation
            let creation = creation
            connection.start(lengthWidth: lengthWidth) { event in
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
            if let assigned = peer.assignedName {
                name = assigned.name
                self.creation = assigned.creation
            }
            attempt.connection = nil
            let own = peer.assignedName?.creation ?? creation
            adopt(connection, peer, ownCreation: own)
            links[peer.name.atom]?.isUsed = true
            endHandshake(attempt, nil)
        case .received, .answered, .quiet, .holding, .ended(.disconnected):
            preconditionFailure("An adopted connection has another handler")
        case .ended(.handshake(let error)):
            attempt.connection = nil
            if error == .reflectedChallenge {
                let address = connection.peerAddress
                report(
                    .error, cause: "\(error)", of: "listeners for \(node)",
                    "\(node) at \(address) is not connected to: \(error)")
            }
            guard error == .simultaneousConnect else {
                return endHandshake(attempt, Self.callError(error, node))
            }
            // The peer's own connection to us comes up in a moment, or not at all.
            loop.schedule(after: configuration.connectTimeout) {
                self.endHandshake(attempt, Self.callError(error, node))
            }
        }
    }

    func endHandshake(_ attempt: Attempt, _ error: CallError?) {
        attempt.handshakeEnded?.resume(returning: error)
        attempt.handshakeEnded = nil
    }

    static func callError(_ error: HandshakeError, _ node: NodeName) -> CallError {
        switch error {
        case .wrongCookie: .wrongCookie
        case .missingFlags, .notAllowed, .simultaneousConnect, .alreadyConnected, .unexpectedNode,
            .nameRejected, .unexpectedStatus, .invalidName, .reflectedChallenge:
            .refused("connecting to \(node): \(error)")
        case .unexpectedMessage, .truncated, .messageTooLong, .timedOut, .connectionClosed:
            .unreachable("connecting to \(node): \(error)")
        }
    }

    // MARK: Connected

    func adopt(_ connection: Connection, _ peer: PeerNode, ownCreation: UInt32) {
        if let old = links[peer.name.atom] {
            old.connection.close()
            connectionEnded(old, .replaced)
        }
        let link = PeerLink(
            connection: connection, peer: peer, ownCreation: ownCreation,
            callFrames: { [self] in callFrames(peer, ownCreation) })
        links[peer.name.atom] = link
        connection.setHandler { event in
            self.handle(event, link)
        }
        onEvent?(.nodeUp(peer.name, creation: peer.creation, isHidden: peer.isHidden))
        if let attempt = attempts[peer.name.atom] {
            // An accepted connection serves those who wait for our own as well.
            if let connection = attempt.connection { connection.close() }
            // It may still be looking up whose listener it is: it must not connect again when this
            // connection has ended by then.
            attempt.task?.cancel()
            endHandshake(attempt, nil)
            finish(peer.name.atom, attempt, nil)
        }
    }

    private func callFrames(_ peer: PeerNode, _ creation: UInt32) -> CallFrames? {
        guard peer.flags.contains(.spawn), !peer.flags.contains(.headerAtomCache) else {
            return nil
        }
        let caller = PID(node: ownAtom, id: 0, serial: 0, creation: creation)
        var leader = caller
        leader.serial = ProcessTable.leaderSerial
        return CallFrames(
            caller: caller, leader: leader, salt: referenceSalt, form: .init(peer.flags))
    }

    private func handle(_ event: Connection.Event, _ link: PeerLink) {
        switch event {
        case .answered(let answer): receive(answer, link)
        case .received(let message):
            receivedByteCount = link.connection.messageByteCount
            receive(message, link)
            receivedByteCount = 0
        case .quiet: probe(link)
        case .holding(let byteCount): hold(byteCount, link)
        case .ended(.disconnected(let reason)): connectionEnded(link, reason)
        case .applicant, .connected, .ended(.handshake):
            preconditionFailure("The handshake is over")
        }
    }

    private func hold(_ byteCount: Int, _ link: PeerLink) {
        var most = budget.hold(byteCount: byteCount, for: link.peer.name.atom)
        while let name = most {
            guard let victim = links[name] else { return }
            makeRoom(
                closing: victim, cause: "bytes",
                "More than \(configuration.maximumHeldByteCount) bytes are kept for peers")
            // As many as before are kept for this one, unless it was the victim.
            most =
                victim === link ? nil : budget.hold(byteCount: byteCount, for: link.peer.name.atom)
        }
    }

    /// Ends the connection of the peer that has most of what there is too much of.
    func makeRoom(closing victim: PeerLink, cause: String, _ text: String) {
        let name = victim.peer.name
        report(
            .warning, cause: cause, of: victim.source,
            "\(text): closing the connection to \(name), which has most of it")
        victim.connection.close()
        connectionEnded(victim, .madeRoom)
    }

    /// Makes the peer say something, whatever its own tick time: a monitor of a name that nobody has is
    /// answered at once.
    private func probe(_ link: PeerLink) {
        guard link.peer.flags.contains(.monitorsByName) else { return }
        link.connection.send(
            .monitor(
                from: pid(0, link), to: .name(Atom("$tick")), reference: makeReference(link)))
    }

    func connectionEnded(_ link: PeerLink, _ reason: DisconnectReason) {
        let name = link.peer.name
        guard links[name.atom] === link else { return }
        links[name.atom] = nil
        budget.end(name.atom)
        link.timer?.cancel()
        resumeSenders(link)
        processesLost(name.atom, reason)
        for call in link.calls.takeAll() {
            if let leader = call.leader { leaders[leader] = nil }
            call.continuation.resume(returning: .failure(.connectionLost(reason)))
        }
        switch reason {
        case .violation, .silent, .notReading:
            report(
                .warning, cause: "\(name): \(reason)", of: link.source,
                "The connection to \(name) was closed: \(reason)")
        case .closedByPeer, .failed, .replaced, .disconnected, .madeRoom: break
        }
        onEvent?(.nodeDown(name, reason))
    }
}

/// The connecting side of the handshake. It does no I/O and reads no clock.
///
/// ```
/// send_name →   ← status   [status "true" →]   ← challenge   challenge_reply →   ← challenge_ack
/// ```
/// Source: "Distribution Handshake", erl_dist_protocol; `dist_util:handshake_we_started/1`.
struct ClientHandshake {
    /// Who we are to the peer.
    enum Identity: Equatable, Sendable {
        case named(NodeName, creation: UInt32)
        /// We have a host only, and ask the peer for a name.
        case asking(host: String)
    }

    enum Action: Equatable {
        /// A message, still without its length.
        case send([UInt8])
        case complete(PeerNode)
        case fail(HandshakeError)
    }

    private enum State {
        case initial
        case awaitingStatus
        case awaitingChallenge(assigned: PeerNode.AssignedName?)
        case awaitingAcknowledgement(PeerNode)
        case finished
    }

    private let identity: Identity
    private let expectedPeer: NodeName
    private let flags: DistributionFlags
    private let cookie: String
    /// Our own challenge: random, chosen by the caller.
    private let challenge: UInt32
    /// Whether we have sent this challenge to somebody ourselves.
    private let isOwn: (UInt32) -> Bool
    private var state = State.initial

    init(
        identity: Identity, to peer: NodeName, flags: DistributionFlags, cookie: String,
        challenge: UInt32, isOwnChallenge: @escaping (UInt32) -> Bool = { _ in false }
    ) {
        isOwn = isOwnChallenge
        self.identity = identity
        self.expectedPeer = peer
        self.cookie = cookie
        self.challenge = challenge
        switch identity {
        case .named: self.flags = flags.subtracting(.nameMe)
        case .asking: self.flags = flags.union(.nameMe)
        }
    }

    /// Begins the handshake. Call it before anything is received.
    mutating func start() -> [Action] {
        guard case .initial = state else { preconditionFailure("A handshake starts once") }
        state = .awaitingStatus
        let sent =
            switch identity {
            case .named(let name, let creation):
                HandshakeMessage.SentName(flags: flags, creation: creation, name: name.text)
            case .asking(let host):
                HandshakeMessage.SentName(flags: flags, creation: 0, name: host)
            }
        return [.send(HandshakeMessage.name(sent).encoded())]
    }

    mutating func receive(_ bytes: [UInt8]) -> [Action] {
        do throws(HandshakeError) {
            return try advance(bytes)
        } catch {
            state = .finished
            return [.fail(error)]
        }
    }

    /// The error that the end of the stream means in this state.
    func meaningOfEnd(_ reason: String) -> HandshakeError {
        switch state {
        case .awaitingAcknowledgement:
            // A node that finds our digest wrong logs that and closes the connection; it sends no
            // answer.
            .wrongCookie
        case .initial, .awaitingStatus, .awaitingChallenge, .finished: .connectionClosed(reason)
        }
    }

    private mutating func advance(_ bytes: [UInt8]) throws(HandshakeError) -> [Action] {
        switch state {
        case .awaitingStatus:
            guard
                case .status(let status) = try HandshakeMessage(decoding: bytes, expecting: .status)
            else { preconditionFailure("The decoder returns what it was asked for") }
            return try receive(status)
        case .awaitingChallenge(let assigned):
            guard
                case .challenge(let theirs) = try HandshakeMessage(
                    decoding: bytes, expecting: .challenge)
            else { preconditionFailure("The decoder returns what it was asked for") }
            return try receive(theirs, assigned: assigned)
        case .awaitingAcknowledgement(let peer):
            guard
                case .acknowledgement(let digest) = try HandshakeMessage(
                    decoding: bytes, expecting: .acknowledgement)
            else { preconditionFailure("The decoder returns what it was asked for") }
            guard digest == HandshakeMessage.digest(cookie: cookie, challenge: challenge) else {
                throw .wrongCookie
            }
            state = .finished
            return [.complete(peer)]
        case .initial, .finished:
            preconditionFailure("A handshake receives only while it runs")
        }
    }

    private mutating func receive(_ status: HandshakeStatus) throws(HandshakeError) -> [Action] {
        switch (status, identity) {
        case (.ok, .named), (.okSimultaneous, .named):
            state = .awaitingChallenge(assigned: nil)
            return []
        case (.alive, .named):
            // We dial only when we have no connection: the peer's older one is dead.
            state = .awaitingChallenge(assigned: nil)
            return [.send(HandshakeMessage.status(.replaceOld(true)).encoded())]
        case (.named(let text, let creation), .asking):
            guard let name = try? NodeName(text), name.port == nil else { throw .invalidName }
            state = .awaitingChallenge(assigned: .init(name: name, creation: creation))
            return []
        case (.nok, _): throw .simultaneousConnect
        case (.notAllowed, _): throw .notAllowed
        case (.ok, .asking):
            // A node before OTP 24, or one that is not a BEAM, takes the host for our name.
            throw .givesNoName
        case (.okSimultaneous, .asking), (.alive, .asking), (.named, .named), (.replaceOld, _):
            throw .unexpectedStatus(String(decoding: status.encoded().prefix(64), as: UTF8.self))
        }
    }

    private mutating func receive(
        _ theirs: HandshakeMessage.Challenge, assigned: PeerNode.AssignedName?
    ) throws(HandshakeError) -> [Action] {
        guard let name = try? NodeName(theirs.name), name.port == nil else { throw .invalidName }
        guard name.atom == expectedPeer.atom else {
            throw .unexpectedNode(expected: expectedPeer.text, found: name.text)
        }
        let missing = DistributionFlags.mandatory25.subtracting(theirs.flags)
        guard missing.isEmpty else { throw .missingFlags(missing) }
        // With our answer, whoever sent this challenge could prove to our own acceptor that it
        // knows the cookie.
        guard !isOwn(theirs.challenge) else { throw .reflectedChallenge }
        state = .awaitingAcknowledgement(
            PeerNode(
                name: name, creation: theirs.creation, peerFlags: theirs.flags, ownFlags: flags,
                assignedName: assigned))
        let digest = HandshakeMessage.digest(cookie: cookie, challenge: theirs.challenge)
        return [.send(HandshakeMessage.reply(challenge: challenge, digest: digest).encoded())]
    }
}

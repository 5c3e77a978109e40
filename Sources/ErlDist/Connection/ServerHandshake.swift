/// The accepting side of the handshake. It does no I/O and reads no clock.
///
/// Once it knows who is calling it asks its owner for a ``Decision``, which depends on the owner's
/// other connections.
///
/// Source: "Distribution Handshake", erl_dist_protocol; `dist_util:handshake_other_started/1`.
struct ServerHandshake {
    /// Who is calling.
    enum Applicant: Equatable, Sendable {
        case named(NodeName)
        /// A node on `host` that asks for a name.
        case asking(host: String)
    }

    /// The answer to an applicant.
    enum Decision: Equatable, Sendable {
        case accept
        /// Both connect at the same time, and this connection is the one that goes on.
        case acceptSimultaneous
        /// Both connect at the same time, and our own connection is the one that goes on.
        case refuseSimultaneous
        /// There is a connection with that name already: ask whether this one replaces it.
        case askWhetherToReplace
        case refuse
        /// The applicant asks for a name: this is its name from now on.
        case assign(NodeName, creation: UInt32)
    }

    enum Action: Equatable {
        /// A message, still without its length.
        case send([UInt8])
        /// Answer with ``ServerHandshake/decide(_:)``; nothing is received before.
        case decide(Applicant)
        case complete(PeerNode)
        case fail(HandshakeError)
    }

    /// What is known about the caller.
    private struct Caller {
        var name: NodeName?
        var creation: UInt32?
        var flags: DistributionFlags
        /// The caller sent the old `n`: the upper flags and the creation follow in a complement.
        var isOld: Bool
    }

    private enum State {
        case awaitingName
        case awaitingDecision(Caller)
        case awaitingReplaceAnswer(Caller)
        case awaitingComplement(Caller)
        case awaitingReply(Caller)
        case finished
    }

    private let name: NodeName
    private let creation: UInt32
    private let flags: DistributionFlags
    private let cookie: String
    /// Our challenge: random, chosen by the caller.
    private let challenge: UInt32
    private var state = State.awaitingName

    init(
        name: NodeName, creation: UInt32, flags: DistributionFlags, cookie: String,
        challenge: UInt32
    ) {
        self.name = name
        self.creation = creation
        self.flags = flags.subtracting(.nameMe)
        self.cookie = cookie
        self.challenge = challenge
    }

    /// Decides which of two simultaneous attempts goes on: the one of the node with the greater
    /// name.
    /// Source: `dist_util:mark_pending/1` and `net_kernel`'s `accept_pending`.
    static func arbitrate(own: NodeName, applicant: NodeName) -> Decision {
        Array(own.text.utf8).lexicographicallyPrecedes(Array(applicant.text.utf8))
            ? .acceptSimultaneous : .refuseSimultaneous
    }

    mutating func receive(_ bytes: [UInt8]) -> [Action] {
        do throws(HandshakeError) {
            return try advance(bytes)
        } catch {
            state = .finished
            return refusal(of: error) + [.fail(error)]
        }
    }

    /// The error that the end of the stream means in this state.
    func meaningOfEnd(_ reason: String) -> HandshakeError {
        switch state {
        // A caller that finds an unexpected name in the challenge closes the connection; it sends
        // no answer.
        case .awaitingReply, .awaitingComplement: .nameRejected(name.text)
        case .awaitingName, .awaitingDecision, .awaitingReplaceAnswer, .finished:
            .connectionClosed(reason)
        }
    }

    mutating func decide(_ decision: Decision) -> [Action] {
        guard case .awaitingDecision(var caller) = state else {
            preconditionFailure("A decision answers a question")
        }
        switch decision {
        case .accept: return [status(.ok)] + challengeCaller(caller)
        case .acceptSimultaneous: return [status(.okSimultaneous)] + challengeCaller(caller)
        case .assign(let name, let creation):
            caller.name = name
            caller.creation = creation
            return [status(.named(name.text, creation: creation))] + challengeCaller(caller)
        case .askWhetherToReplace:
            state = .awaitingReplaceAnswer(caller)
            return [status(.alive)]
        case .refuseSimultaneous:
            state = .finished
            return [status(.nok), .fail(.simultaneousConnect)]
        case .refuse:
            state = .finished
            return [status(.notAllowed), .fail(.notAllowed)]
        }
    }

    private mutating func advance(_ bytes: [UInt8]) throws(HandshakeError) -> [Action] {
        switch state {
        case .awaitingName: return try receiveName(bytes)
        case .awaitingReplaceAnswer(let caller):
            guard
                case .status(let answer) = try HandshakeMessage(decoding: bytes, expecting: .status)
            else { preconditionFailure("The decoder returns what it was asked for") }
            guard answer == .replaceOld(true) else { throw .alreadyConnected }
            return challengeCaller(caller)
        case .awaitingComplement(var caller):
            guard
                case .complement(let upper, let creation) = try HandshakeMessage(
                    decoding: bytes, expecting: .complement)
            else { preconditionFailure("The decoder returns what it was asked for") }
            caller.flags.formUnion(DistributionFlags(rawValue: UInt64(upper) << 32))
            caller.creation = creation
            state = .awaitingReply(caller)
            return []
        case .awaitingReply(let caller):
            guard
                case .reply(let theirChallenge, let digest) = try HandshakeMessage(
                    decoding: bytes, expecting: .reply)
            else { preconditionFailure("The decoder returns what it was asked for") }
            guard digest == HandshakeMessage.digest(cookie: cookie, challenge: challenge) else {
                throw .wrongCookie
            }
            guard let name = caller.name, let creation = caller.creation else {
                preconditionFailure("A caller has a name by now")
            }
            state = .finished
            let answer = HandshakeMessage.digest(cookie: cookie, challenge: theirChallenge)
            return [
                .send(HandshakeMessage.acknowledgement(digest: answer).encoded()),
                .complete(
                    PeerNode(
                        name: name, creation: creation, peerFlags: caller.flags, ownFlags: flags)),
            ]
        case .awaitingDecision:
            // Whoever sends a name waits for its status.
            throw .unexpectedMessage(tag: bytes.first, expected: .reply)
        case .finished:
            preconditionFailure("A handshake receives only while it waits for a message")
        }
    }

    private mutating func receiveName(_ bytes: [UInt8]) throws(HandshakeError) -> [Action] {
        var caller: Caller
        let text: String
        switch try HandshakeMessage(decoding: bytes, expecting: .name) {
        case .name(let sent):
            caller = Caller(creation: sent.creation, flags: sent.flags, isOld: false)
            text = sent.name
        case .oldName(let flags, let name):
            caller = Caller(flags: DistributionFlags(rawValue: UInt64(flags)), isOld: true)
            text = name
        case .status, .challenge, .complement, .reply, .acknowledgement:
            preconditionFailure("The decoder returns what it was asked for")
        }
        // All flags that OTP 25 made mandatory are in the lower half, which the old form has too.
        let missing = DistributionFlags.mandatory25.subtracting(caller.flags)
        guard missing.isEmpty else { throw .missingFlags(missing) }
        if caller.flags.contains(.nameMe) {
            guard !text.contains("@"), (try? NodeName(alive: "x", host: text)) != nil else {
                throw .invalidName
            }
            state = .awaitingDecision(caller)
            return [.decide(.asking(host: text))]
        }
        guard let name = try? NodeName(text), name.port == nil else { throw .invalidName }
        caller.name = name
        state = .awaitingDecision(caller)
        return [.decide(.named(name))]
    }

    private mutating func challengeCaller(_ caller: Caller) -> [Action] {
        // A real node that was given a name ends the connection unless the flags of the node that
        // gave it contain this one too.
        let flags = caller.flags.contains(.nameMe) ? flags.union(.nameMe) : flags
        state = caller.isOld ? .awaitingComplement(caller) : .awaitingReply(caller)
        return [
            .send(
                HandshakeMessage.challenge(
                    .init(flags: flags, challenge: challenge, creation: creation, name: name.text)
                ).encoded())
        ]
    }

    private func status(_ status: HandshakeStatus) -> Action {
        .send(HandshakeMessage.status(status).encoded())
    }

    /// What the caller is told before the connection ends. Source: `dist_util:is_allowed/2`.
    private func refusal(of error: HandshakeError) -> [Action] {
        if case .missingFlags = error { [status(.notAllowed)] } else { [] }
    }
}

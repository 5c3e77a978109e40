internal import Transport

/// Keeps one node registered: it connects, asks, holds the connection, and starts again when the
/// connection is lost.
///
/// It does no I/O and reads no clock. Its driver performs the actions in order, and keeps one timer
/// and one connection for it. Source: "Register a Node in EPMD", erl_dist_protocol; the delay
/// between attempts is the one in `erl_epmd.erl`.
struct RegistrationMachine {
    enum Action: Equatable {
        /// Open a connection. If an earlier `connect` still brings one, close and forget it.
        case connect
        case send([UInt8])
        /// Give up the connection, or the attempt to open one.
        case disconnect
        /// Replace the timer.
        case setTimer(Duration)
        case cancelTimer
        case report(EPMDRegistration.Event)
    }

    private enum State {
        case idle
        case connecting
        case awaitingReply(EPMDAliveReplyDecoder)
        case registered(creation: UInt32)
        case waiting
        case stopped
    }

    private let name: String
    private let address: SocketAddress
    private let request: [UInt8]
    private let timeout: Duration
    private let retryDelay: Duration
    /// What is being attempted, for errors.
    let attempt: String
    private var state = State.idle
    /// Whether another attempt follows a failed one.
    private var isPersistent = false

    init(
        _ node: EPMDNodeInfo, at address: SocketAddress, timeout: Duration, retryDelay: Duration
    ) throws(EPMDError) {
        name = node.name
        self.address = address
        self.timeout = timeout
        self.retryDelay = retryDelay
        attempt = "registering `\(name)` with EPMD at \(address)"
        do throws(EPMDRequestError) {
            request = try EPMDRequest.alive(node).encoded()
        } catch {
            throw .badRequest(attempt: attempt, error)
        }
    }

    /// The creation that the daemon gave; `nil` while the node is not registered.
    var creation: UInt32? {
        if case .registered(let creation) = state { creation } else { nil }
    }

    var isStopped: Bool {
        if case .stopped = state { true } else { false }
    }

    /// Begins to register, or tries again at once while it waits.
    /// - Parameter persistently: Continue for ever from here, even if the first attempt fails.
    mutating func start(persistently: Bool) -> [Action] {
        if persistently { isPersistent = true }
        switch state {
        case .idle, .waiting:
            state = .connecting
            return [.setTimer(timeout), .connect]
        case .connecting, .awaitingReply, .registered, .stopped: return []
        }
    }

    mutating func connected() -> [Action] {
        guard case .connecting = state else { return [.disconnect] }
        state = .awaitingReply(EPMDAliveReplyDecoder())
        return [.send(request)]
    }

    mutating func connectFailed(_ error: EPMDError) -> [Action] {
        if case .connecting = state { fail(error) } else { [] }
    }

    mutating func received(_ bytes: some Collection<UInt8>) -> [Action] {
        // A daemon sends nothing to a registered node. Giving up the registration because of stray
        // bytes would do harm.
        guard case .awaitingReply(var decoder) = state else { return [] }
        do throws(EPMDReplyError) {
            switch try decoder.receive(bytes) {
            case .registered(let creation):
                state = .registered(creation: creation)
                isPersistent = true
                return [.cancelTimer, .report(.registered(creation: creation))]
            case .refused: return fail(.duplicateName(name: name, address: address))
            case nil:
                state = .awaitingReply(decoder)
                return []
            }
        } catch {
            return fail(.badReply(attempt: attempt, error))
        }
    }

    /// The connection was closed by the peer or lost. `reason` is used after a colon.
    mutating func connectionEnded(reason: String) -> [Action] {
        switch state {
        case .connecting, .awaitingReply:
            return fail(.unreachable(attempt: attempt, reason: reason))
        case .registered:
            return retry(
                reporting: .lost(
                    .unreachable(
                        attempt: "holding the registration of `\(name)` with EPMD at \(address)",
                        reason: reason)))
        case .idle, .waiting, .stopped: return []
        }
    }

    mutating func timerFired() -> [Action] {
        switch state {
        case .connecting, .awaitingReply:
            return fail(.timedOut(attempt: attempt, after: timeout))
        case .waiting: return start(persistently: true)
        case .idle, .registered, .stopped: return []
        }
    }

    /// Ends for good. Closing the connection unregisters the node.
    mutating func stop() -> [Action] {
        guard !isStopped else { return [] }
        state = .stopped
        return [.cancelTimer, .disconnect]
    }

    private mutating func fail(_ error: EPMDError) -> [Action] {
        guard isPersistent else {
            state = .idle
            return [.cancelTimer, .disconnect, .report(.failed(error))]
        }
        return retry(reporting: .failed(error))
    }

    private mutating func retry(reporting event: EPMDRegistration.Event) -> [Action] {
        state = .waiting
        return [.disconnect, .setTimer(retryDelay), .report(event)]
    }
}

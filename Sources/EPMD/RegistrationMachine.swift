/// Keeps one node registered: it connects, asks, holds the connection, and starts again when it is
/// lost.
///
/// It does no I/O and reads no clock. Its driver performs the actions in order, and keeps one timer
/// and one connection for it. Source: "Register a Node in EPMD", erl_dist_protocol; the delay
/// between attempts is that of `erl_epmd.erl`.
struct RegistrationMachine {
    enum Action: Equatable {
        /// Open a connection; what an earlier `connect` still brings is closed and forgotten.
        case connect
        case send([UInt8])
        /// Give up the connection, or the attempt at one.
        case disconnect
        /// Replaces the timer.
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

    let name: String
    let address: String
    private let request: [UInt8]
    private let timeout: Duration
    private let retryDelay: Duration
    private let duplicate: EPMDError
    private var state = State.idle
    /// Whether failures are followed by another attempt.
    private var isPersistent = false

    init(
        _ node: EPMDNodeInfo, address: String, timeout: Duration, retryDelay: Duration,
        duplicate: EPMDError
    ) throws(EPMDRequestError) {
        name = node.name
        self.address = address
        request = try EPMDRequest.alive(node).encoded()
        self.timeout = timeout
        self.retryDelay = retryDelay
        self.duplicate = duplicate
    }

    /// What is being done, for errors.
    var attempt: String {
        "registering `\(name)` with EPMD at \(address)"
    }

    /// The creation that the daemon gave, while registered.
    var creation: UInt32? {
        switch state {
        case .registered(let creation): creation
        case .idle, .connecting, .awaitingReply, .waiting, .stopped: nil
        }
    }

    var isStopped: Bool {
        switch state {
        case .stopped: true
        case .idle, .connecting, .awaitingReply, .registered, .waiting: false
        }
    }

    /// Begins, or tries at once when it waits.
    /// - Parameter persistently: Go on for ever from here, even if the first attempt fails.
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
        switch state {
        case .connecting:
            state = .awaitingReply(EPMDAliveReplyDecoder())
            return [.send(request)]
        case .idle, .awaitingReply, .registered, .waiting, .stopped:
            return [.disconnect]
        }
    }

    mutating func connectFailed(_ error: EPMDError) -> [Action] {
        switch state {
        case .connecting: fail(error)
        case .idle, .awaitingReply, .registered, .waiting, .stopped: []
        }
    }

    mutating func received(_ bytes: some Collection<UInt8>) -> [Action] {
        switch state {
        case .awaitingReply(var decoder):
            do throws(EPMDReplyError) {
                let reply = try decoder.receive(bytes)
                switch reply {
                case .registered(let creation):
                    state = .registered(creation: creation)
                    isPersistent = true
                    return [.cancelTimer, .report(.registered(creation: creation))]
                case .refused: return fail(duplicate)
                case nil:
                    state = .awaitingReply(decoder)
                    return []
                }
            } catch {
                return fail(.badReply(attempt: attempt, error))
            }
        // A daemon says nothing on this connection; to give up a registration for it would do harm.
        case .registered: return []
        case .idle, .connecting, .waiting, .stopped: return []
        }
    }

    /// The connection ended by itself; `reason` stands after a colon.
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

    /// Ends for good; closing the connection is what unregisters.
    mutating func stop() -> [Action] {
        switch state {
        case .stopped: return []
        case .idle, .connecting, .awaitingReply, .registered, .waiting:
            state = .stopped
            return [.cancelTimer, .disconnect]
        }
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

internal import ExternalTermFormat
internal import Transport

/// What a node keeps for one connected peer. It belongs to its ``Node``'s isolation.
final class PeerLink {
    /// A call that waits for its answer.
    struct OutgoingCall {
        /// How the answer comes.
        enum Way: Equatable {
            /// As the end of a process that was spawned for it.
            case spawn(PID?)
            /// As a message `{Reference, Result}` of `rex`.
            case rex
            /// As a message `{Reference, Result}` of another process.
            case message
        }

        /// Resumed once, because ``PendingCalls`` gives each call back once.
        var continuation: UnsafeContinuation<Result<Term, CallError>, Never>
        var way: Way
        /// The number of the call's own group leader.
        var leader: UInt32?
    }

    let connection: Connection
    let peer: PeerNode
    /// Our creation as this peer knows it.
    let ownCreation: UInt32
    /// How calls of functions are written, made for the first one; `nil` when they are not spawn requests,
    /// or use an atom cache.
    private(set) lazy var callFrames: CallFrames? = makeCallFrames()
    private let makeCallFrames: () -> CallFrames?
    /// Whether this node has called over it, or connected it.
    var isUsed = false
    var calls = PendingCalls<OutgoingCall>()
    /// Calls given up before the peer said which process it started: that one is demonitored then.
    var abandoned: Set<UInt64> = []
    /// Those who have sent, and wait until it has left.
    var senders: [UInt64: CheckedContinuation<Void, Never>] = [:]
    /// Fires at ``timerTime``, for `calls.nextDeadline`.
    var timer: LoopTimer?
    var timerTime: MonotonicTime?

    /// Whom it is counted for.
    var source: PeerSource { PeerSource(connection.peerAddress) }

    /// Beyond this a peer that never answers spawn requests costs no more memory.
    static let maximumAbandoned = 10_000

    init(
        connection: Connection, peer: PeerNode, ownCreation: UInt32,
        callFrames: @escaping () -> CallFrames?
    ) {
        self.connection = connection
        self.peer = peer
        self.ownCreation = ownCreation
        makeCallFrames = callFrames
    }
}

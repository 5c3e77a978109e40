internal import ExternalTermFormat
internal import Transport

/// What a node keeps for one ``ErlangProcess``. It belongs to its ``Node``'s isolation.
final class LocalProcess {
    /// A task that waits for a message.
    struct Waiter {
        var token: UInt64
        var continuation: CheckedContinuation<Result<ProcessMessage, ReceiveError>, Never>
        var timer: LoopTimer?
    }

    /// A monitor that the process has on another.
    struct OwnMonitor {
        var target: ProcessIdentifier
        /// The target as the user named it.
        var destination: ProcessDestination
        var node: Atom
    }

    /// A call of a server that waits for its answer.
    struct OwnCall {
        var target: ProcessIdentifier
        var node: Atom
        var continuation: CheckedContinuation<Result<Term, CallError>, Never>
        var timer: LoopTimer?
    }

    let id: UInt32
    var mailbox: Mailbox
    var trapsExits: Bool
    var waiters: [Waiter] = []
    var monitors: [Reference: OwnMonitor] = [:]
    /// By the reference that is their monitor, alias and tag.
    var calls: [Reference: OwnCall] = [:]
    var aliases: Set<Reference> = []
    var exitReason: Term?

    init(id: UInt32, capacity: MailboxCapacity, trapsExits: Bool) {
        self.id = id
        self.mailbox = Mailbox(capacity: capacity)
        self.trapsExits = trapsExits
    }
}

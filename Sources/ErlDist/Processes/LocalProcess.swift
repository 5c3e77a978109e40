internal import ExternalTermFormat
internal import Transport

/// What a node keeps for one ``ErlangProcess``. It belongs to its node's isolation.
final class LocalProcess {
    /// A task that waits for a message.
    typealias Continuation = CheckedContinuation<Result<ProcessMessage, ReceiveError>, Never>

    private struct Waiter {
        var number: UInt64
        var continuation: Continuation
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
    var trapsExits: Bool
    var monitors: [Reference: OwnMonitor] = [:]
    /// The key is the reference that serves each call as monitor, alias and tag.
    var calls: [Reference: OwnCall] = [:]
    var aliases: Set<Reference> = []
    private(set) var exitReason: Term?
    private var mailbox: Mailbox
    private var waiters: [Waiter] = []

    init(id: UInt32, capacity: MailboxCapacity, trapsExits: Bool) {
        self.id = id
        self.mailbox = Mailbox(capacity: capacity)
        self.trapsExits = trapsExits
    }

    // MARK: Messages

    /// Gives a message to the first task that waits, or keeps it.
    /// - Parameter byteCount: the size of the message as it came from another node.
    func deliver(_ message: ProcessMessage, byteCount: Int) -> Mailbox.Outcome {
        guard exitReason == nil else { return .kept }
        guard !waiters.isEmpty else { return mailbox.append(message, byteCount: byteCount) }
        resume(waiters.removeFirst(), .success(message))
        return .kept
    }

    /// The next message, if there is one. While messages are kept nobody waits.
    func nextMessage() -> ProcessMessage? {
        mailbox.popFirst()
    }

    /// Resumes `continuation` with the next message that comes.
    func wait(_ number: UInt64, _ timer: LoopTimer?, _ continuation: Continuation) {
        waiters.append(Waiter(number: number, continuation: continuation, timer: timer))
    }

    func endWait(_ number: UInt64, _ error: ReceiveError) {
        guard let index = waiters.firstIndex(where: { $0.number == number }) else { return }
        resume(waiters.remove(at: index), .failure(error))
    }

    /// Discards the message about the end of a process whose monitor is removed.
    func removeDown(_ monitor: Reference) {
        mailbox.removeDown(monitor)
    }

    private func resume(_ waiter: Waiter, _ result: Result<ProcessMessage, ReceiveError>) {
        waiter.timer?.cancel()
        waiter.continuation.resume(returning: result)
    }

    // MARK: Ending

    /// Discards its messages; nothing more comes.
    func end(_ reason: Term) {
        exitReason = reason
        mailbox.removeAll()
    }

    /// Ends the wait of all tasks that wait for a message.
    func endWaits() {
        guard let exitReason else { return }
        let ended = waiters
        waiters = []
        for waiter in ended { resume(waiter, .failure(.ended(reason: exitReason))) }
    }
}

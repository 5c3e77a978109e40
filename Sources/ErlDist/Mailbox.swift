internal import ExternalTermFormat

/// What waits for a process to receive it, in the order in which it came, up to a limit.
///
/// The limit is on messages, whose number others decide. Signals that follow from what the process itself has
/// asked for (the end of a monitored process) are kept in any case: there is one for each.
struct Mailbox {
    /// What became of a message.
    enum Outcome: Equatable {
        case kept
        /// One message was thrown away, this or an older one.
        case dropped
        /// The process is to end.
        case overflowed
    }

    private let capacity: MailboxCapacity
    private var queue: [ErlangProcess.Message?] = []
    /// Where the queue begins: what was before is `nil` and cleared away from time to time.
    private var head = 0

    init(capacity: MailboxCapacity) {
        self.capacity = capacity
    }

    var count: Int { queue.count - head }

    mutating func append(_ message: ErlangProcess.Message) -> Outcome {
        guard Self.isLimited(message), count >= capacity.messageCount else {
            queue.append(message)
            return .kept
        }
        switch capacity.whenFull {
        case .dropNewest: return .dropped
        case .endProcess: return .overflowed
        case .dropOldest:
            guard let oldest = firstMessageIndex else { return .dropped }
            if oldest == head { _ = popFirst() } else { queue.remove(at: oldest) }
            queue.append(message)
            return .dropped
        }
    }

    mutating func popFirst() -> ErlangProcess.Message? {
        guard head < queue.count else { return nil }
        defer {
            queue[head] = nil
            head += 1
            if head == queue.count {
                queue.removeAll(keepingCapacity: head <= 1024)
                head = 0
            } else if head >= 1024, head * 2 >= queue.count {
                queue.removeFirst(head)
                head = 0
            }
        }
        return queue[head]
    }

    /// Takes out what was received for a monitor that is removed.
    mutating func removeDown(_ monitor: Reference) {
        queue.removeAll { entry in
            guard case .down(let down)? = entry else { return false }
            return down.monitor == monitor
        }
    }

    mutating func removeAll() {
        queue = []
        head = 0
    }

    private var firstMessageIndex: Int? {
        queue[head...].firstIndex { $0.map(Self.isLimited) ?? false }
    }

    private static func isLimited(_ message: ErlangProcess.Message) -> Bool {
        switch message {
        case .message, .exit: true
        case .down: false
        }
    }
}

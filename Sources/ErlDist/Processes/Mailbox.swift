internal import ExternalTermFormat

/// The messages that a process has not received yet, in their order and up to a limit.
///
/// The limit counts messages and exit signals, because others decide how many come. The end of a
/// monitored process is always kept: each monitor that the process itself made causes only one.
struct Mailbox {
    /// What happened to a message.
    enum Outcome: Equatable {
        case kept
        /// This message or older ones were thrown away.
        case dropped
        /// The process must end.
        case overflowed
    }

    private struct Entry {
        var message: ProcessMessage
        var byteCount: Int
    }

    private let capacity: MailboxCapacity
    private var queue: [Entry?] = []
    /// The index of the first message. Slots before it are `nil`, and are removed from time to
    /// time.
    private var head = 0
    private var byteCount = 0

    init(capacity: MailboxCapacity) {
        self.capacity = capacity
    }

    var count: Int { queue.count - head }

    /// - Parameter byteCount: the size of the message as it came from another node.
    mutating func append(_ message: ProcessMessage, byteCount: Int = 0) -> Outcome {
        guard Self.isLimited(message) else {
            keep(Entry(message: message, byteCount: 0))
            return .kept
        }
        let entry = Entry(message: message, byteCount: byteCount)
        guard !hasRoom(for: entry) else {
            keep(entry)
            return .kept
        }
        switch capacity.whenFull {
        case .dropNewest: return .dropped
        case .endProcess: return .overflowed
        case .dropOldest:
            guard let oldest = firstMessageIndex else { return .dropped }
            remove(at: oldest)
            while !hasBytes(for: entry), let oldest = firstMessageIndex { remove(at: oldest) }
            keep(entry)
            return .dropped
        }
    }

    private func hasRoom(for entry: Entry) -> Bool {
        count < capacity.messageCount && hasBytes(for: entry)
    }

    private func hasBytes(for entry: Entry) -> Bool {
        byteCount == 0 || byteCount + entry.byteCount <= capacity.byteCount
    }

    private mutating func keep(_ entry: Entry) {
        queue.append(entry)
        byteCount += entry.byteCount
    }

    private mutating func remove(at index: Int) {
        if index == head {
            _ = popFirst()
        } else {
            byteCount -= queue.remove(at: index)?.byteCount ?? 0
        }
    }

    mutating func popFirst() -> ProcessMessage? {
        guard head < queue.count else { return nil }
        defer {
            byteCount -= queue[head]?.byteCount ?? 0
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
        return queue[head]?.message
    }

    /// Discards the message about the end of a process whose monitor is removed.
    mutating func removeDown(_ monitor: Reference) {
        queue.removeAll { entry in
            guard case .down(let down)? = entry?.message else { return false }
            return down.monitor == monitor
        }
    }

    mutating func removeAll() {
        queue = []
        head = 0
        byteCount = 0
    }

    private var firstMessageIndex: Int? {
        queue[head...].firstIndex { $0.map { Self.isLimited($0.message) } ?? false }
    }

    private static func isLimited(_ message: ProcessMessage) -> Bool {
        switch message {
        case .message, .exit: true
        case .down: false
        }
    }
}

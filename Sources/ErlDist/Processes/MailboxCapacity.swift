/// How much may wait in a process's mailbox, and what happens when more comes.
public struct MailboxCapacity: Equatable, Sendable {
    /// What happens when the mailbox is full.
    public enum WhenFull: Equatable, Sendable {
        /// The process ends with the reason `message_queue_full`, and processes linked to it are
        /// told. So no loss goes unnoticed.
        case endProcess
        /// The message that has just come is thrown away. This is logged once.
        case dropNewest
        /// The message that has waited longest is thrown away. This is logged once.
        case dropOldest
    }

    /// Messages that may wait, 1 or more.
    public var messageCount: Int
    /// How many bytes messages from other nodes may have together, as received; as terms they take
    /// more memory. A single message may have any size.
    public var byteCount: Int
    /// What happens when more comes than fits.
    public var whenFull: WhenFull

    /// Limits on messages and on their bytes.
    /// - Precondition: `messageCount` is positive.
    public init(
        messageCount: Int = 100_000, byteCount: Int = 64 << 20, whenFull: WhenFull = .endProcess
    ) {
        precondition(messageCount > 0, "A mailbox has room for a message")
        self.messageCount = messageCount
        self.byteCount = byteCount
        self.whenFull = whenFull
    }
}

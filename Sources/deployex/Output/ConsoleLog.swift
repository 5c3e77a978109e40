internal import Dispatch
internal import ErlDist
internal import Glibc
internal import Supervisor
internal import Synchronization
internal import Transport

/// The log on stdout: `[info] text`, coloured on a terminal, and with the time where that is asked
/// for. For journald each line begins with its priority, as in `<4>[warning] text`.
///
/// Lines are written elsewhere: a terminal that was stopped with Ctrl-S, or a pipe that nobody
/// reads, must not hold up the event loop. Lines that cannot be kept until writing continues are
/// counted and dropped.
final class ConsoleLog: ServerLog {
    private static let maximumPendingCount = 10_000

    private let queue = DispatchQueue(label: "deployex.log")
    private let pendingCount = Atomic(0)
    private let droppedCount = Atomic(0)
    private let usesColours = Output.usesColours()
    private let isForJournal: Bool
    private let showsTimes = Atomic(false)

    /// - Parameter journalStream: the variable `JOURNAL_STREAM`, which systemd sets.
    init(journalStream: String? = nil) {
        isForJournal = Self.isJournal(STDOUT_FILENO, journalStream)
    }

    /// From now on, each line begins with the time in UTC; the journal has its own.
    func showTimes() {
        showsTimes.store(true, ordering: .relaxed)
    }

    /// Whether a descriptor is the stream to journald that `JOURNAL_STREAM` names, by device and
    /// inode: a variable may have been inherited by something whose output goes elsewhere.
    ///
    /// Source: systemd.exec(5).
    static func isJournal(_ descriptor: Int32, _ journalStream: String?) -> Bool {
        var status = stat()
        guard let journalStream, fstat(descriptor, &status) == 0 else { return false }
        return journalStream == "\(status.st_dev):\(status.st_ino)"
    }

    func log(_ level: LogLevel, _ text: String) {
        let count = pendingCount.add(1, ordering: .relaxed).newValue
        guard count <= Self.maximumPendingCount else {
            pendingCount.subtract(1, ordering: .relaxed)
            droppedCount.add(1, ordering: .relaxed)
            return
        }
        queue.async { [self] in
            pendingCount.subtract(1, ordering: .relaxed)
            let dropped = droppedCount.exchange(0, ordering: .relaxed)
            if dropped > 0 { write(.warning, "\(dropped) lines could not be written") }
            write(level, text)
        }
    }

    /// Waits until everything is written, but at most a second.
    func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }

    /// Whoever has started us decides where stdout goes.
    func reopen() {}

    private func write(_ level: LogLevel, _ text: String) {
        let mark = "[\(level.rawValue)]"
        let shown = usesColours ? Self.colour(level).around(mark) : mark
        let start = Self.start(
            level, isForJournal: isForJournal,
            time: showsTimes.load(ordering: .relaxed) ? LogTimestamp.now : nil)
        // A log line stays one line, whatever it quotes.
        Output.write("\(start)\(shown) \(SafeText.line(text))\n", to: STDOUT_FILENO)
    }

    /// What comes before the level.
    static func start(_ level: LogLevel, isForJournal: Bool, time: LogTimestamp?) -> String {
        isForJournal ? "<\(priority(level))>" : time.map { "\($0) " } ?? ""
    }

    /// Source: sd-daemon(3); RFC 5424, section 6.2.1.
    private static func priority(_ level: LogLevel) -> Int {
        switch level {
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug: 7
        }
    }

    private static func colour(_ level: LogLevel) -> Colour {
        switch level {
        case .debug: .cyan
        case .info, .notice: .green
        case .warning: .yellow
        case .error: .red
        }
    }
}

internal import Dispatch
internal import ErlDist
internal import Glibc
internal import Synchronization
internal import Transport

/// The log on stdout: `[info] text`, coloured on a terminal.
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
        // A log line stays one line, whatever it quotes.
        Output.write("\(shown) \(SafeText.line(text))\n", to: STDOUT_FILENO)
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

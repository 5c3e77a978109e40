internal import Glibc
internal import Transport

/// Shows the progress of something. On a terminal it is one line that changes, with the seconds
/// that have passed; elsewhere it is one line for each change. It is used on the loop's thread.
final class Progress {
    private let loop: EventLoop
    private let isTerminal = Progress.isOnTerminal
    private let begin = MonotonicTime.now
    private var text: () -> String = { "" }
    private var shown: String?
    private var timer: LoopTimer?

    /// Whether it changes its line, instead of printing one for each change.
    static var isOnTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    init(on loop: EventLoop) {
        self.loop = loop
    }

    func show(_ text: String) { show { text } }

    /// Shows a text that changes by itself.
    func show(_ source: @escaping () -> String) {
        self.text = source
        let text = source()
        let seconds = Int((MonotonicTime.now - begin).components.seconds)
        let line = isTerminal && seconds > 0 ? "\(text) (\(seconds) s)" : text
        if line != shown {
            shown = line
            if isTerminal { Output.replaceLine(fitted(line)) } else { Output.line(line) }
        }
        guard isTerminal else { return }
        timer?.cancel()
        timer = loop.schedule(after: .seconds(1)) { [self] in show(self.text) }
    }

    /// A line that is longer than the terminal is wide would not be replaced as a whole.
    private func fitted(_ line: String) -> String {
        // Some terminals go to the next line as soon as the last column is filled.
        let columns = TextColumns.available.map { $0 - 1 }
        return columns.map { TextColumns.cut(SafeText.line(line), to: $0) } ?? line
    }

    /// Removes the line again, so that the next output has its own line.
    func clear() {
        timer?.cancel()
        if isTerminal, shown != nil { Output.replaceLine("") }
        shown = nil
    }
}

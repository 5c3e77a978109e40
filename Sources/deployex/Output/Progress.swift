internal import Glibc
internal import Transport

/// How far something is: one line that changes on a terminal, a line for each change elsewhere.
struct Progress {
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let begin = MonotonicTime.now
    private var shown: String?

    mutating func show(_ text: String) {
        let seconds = Int((MonotonicTime.now - begin).components.seconds)
        let line = isTerminal && seconds > 0 ? "\(text) (\(seconds) s)" : text
        guard line != shown else { return }
        shown = line
        // Back to the line's beginning, and nothing left of what stood there.
        Output.text(isTerminal ? "\r\u{1B}[K" + line : line + "\n")
    }

    /// Removes the line again, so that what follows stands on a line of its own.
    mutating func clear() {
        if isTerminal, shown != nil { Output.text("\r\u{1B}[K") }
        shown = nil
    }
}

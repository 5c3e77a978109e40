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
        if isTerminal { Output.replaceLine(line) } else { Output.line(line) }
    }

    /// Removes the line again, so that what follows stands on a line of its own.
    mutating func clear() {
        if isTerminal, shown != nil { Output.replaceLine("") }
        shown = nil
    }
}

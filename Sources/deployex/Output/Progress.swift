internal import Glibc
internal import Transport

/// How far something is: one line that changes on a terminal, with the seconds that it takes; a
/// line for each change elsewhere. It is used on the loop's thread.
final class Progress {
    private let loop: EventLoop
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let begin = MonotonicTime.now
    private var text = ""
    private var shown: String?
    private var timer: LoopTimer?

    init(on loop: EventLoop) {
        self.loop = loop
    }

    func show(_ text: String) {
        self.text = text
        let seconds = Int((MonotonicTime.now - begin).components.seconds)
        let line = isTerminal && seconds > 0 ? "\(text) (\(seconds) s)" : text
        if line != shown {
            shown = line
            if isTerminal { Output.replaceLine(line) } else { Output.line(line) }
        }
        guard isTerminal else { return }
        timer?.cancel()
        timer = loop.schedule(after: .seconds(1)) { [self] in show(self.text) }
    }

    /// Removes the line again, so that what follows stands on a line of its own.
    func clear() {
        timer?.cancel()
        if isTerminal, shown != nil { Output.replaceLine("") }
        shown = nil
    }
}

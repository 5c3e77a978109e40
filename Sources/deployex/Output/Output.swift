internal import Glibc

/// What commands print.
enum Output {
    /// A line for the user.
    static func line(_ text: String) {
        self.text(text + "\n")
    }

    /// Text for the user as it is, without a line's end of our own.
    static func text(_ text: String) {
        write(text, to: STDOUT_FILENO)
    }

    /// One line on stderr that says what went wrong and what to do.
    static func error(_ text: String) {
        let isTerminal = isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil
        let mark = isTerminal ? "\u{1B}[31mdeployex:\u{1B}[0m" : "deployex:"
        write("\(mark) \(text)\n", to: STDERR_FILENO)
    }

    /// Writes all of `text`; a reader that went away ends the attempt.
    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = Glibc.write(
                    descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
                if count < 0, errno == EINTR || errno == EAGAIN { continue }
                guard count > 0 else { return }
                offset += count
            }
        }
    }
}

/// Exit statuses of all commands.
enum ExitCode {
    static let done: Int32 = 0
    /// The other side said no.
    static let refused: Int32 = 1
    static let usage: Int32 = 2
    static let unreachable: Int32 = 3
}

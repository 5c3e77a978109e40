internal import Glibc

/// What commands print.
enum Output {
    /// Whether stdout is a terminal whose user wants colours.
    static var usesColours: Bool { isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil }

    /// Whether the reader of stdout has gone: a pipe that is closed, a terminal that is lost.
    static var hasLostReader: Bool {
        var entry = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 1 && Int32(entry.revents) & (POLLERR | POLLNVAL) != 0
    }

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

    /// Bytes for the user as they are.
    static func bytes(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { write($0, to: STDOUT_FILENO) }
    }

    /// Writes all of `text`; a reader that went away ends the attempt.
    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { write($0, to: descriptor) }
    }

    private static func write(_ bytes: UnsafeBufferPointer<UInt8>, to descriptor: Int32) {
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

/// Exit statuses of all commands.
enum ExitCode {
    static let done: Int32 = 0
    /// The other side said no.
    static let refused: Int32 = 1
    static let usage: Int32 = 2
    static let unreachable: Int32 = 3
}

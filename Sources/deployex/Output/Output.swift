internal import Glibc
internal import Transport

/// What commands print.
enum Output {
    /// Whether the descriptor is a terminal whose user wants colours.
    static func usesColours(on descriptor: Int32 = STDOUT_FILENO) -> Bool {
        isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
    }

    /// Whether the reader of stdout is gone: the pipe is closed, or the terminal is lost.
    static var hasLostReader: Bool {
        var entry = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 1 && Int32(entry.revents) & (POLLERR | POLLNVAL) != 0
    }

    /// Prints one or more lines for the user. Text by others in them is made safe.
    static func line(_ text: String) {
        write(SafeText.text(text) + "\n", to: STDOUT_FILENO)
    }

    /// Prints a line that we have coloured in parts; it is made safe as well.
    static func line(_ line: StyledLine) {
        write(line.rendered + "\n", to: STDOUT_FILENO)
    }

    /// Prints a line of our own that replaces the previous one on a terminal. An empty line only
    /// removes it.
    static func replaceLine(_ text: String) {
        write("\r\u{1B}[K" + SafeText.line(text), to: STDOUT_FILENO)
    }

    /// Prints one line on stderr that says what went wrong and what to do.
    static func error(_ text: String) {
        let name = "deployex:"
        let mark = usesColours(on: STDERR_FILENO) ? Colour.red.around(name) : name
        write("\(mark) \(SafeText.line(text))\n", to: STDERR_FILENO)
    }

    /// Prints an application's output unchanged, for other programs. See ``ApplicationOutput``.
    static func bytes(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { write($0, to: STDOUT_FILENO) }
    }

    /// Writes all of `text`. If the reader is gone, it stops.
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

internal import Glibc
internal import Transport

/// What commands print.
enum Output {
    /// Why stdout could not be written to, once that has happened.
    private static let failure = Guarded<Int32?>(nil)

    /// Whether the descriptor is a terminal whose user wants colours.
    static func usesColours(on descriptor: Int32 = STDOUT_FILENO) -> Bool {
        isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
    }

    /// Whether nobody gets what is printed from now on: the pipe is closed, the terminal is lost,
    /// or writing has failed.
    static var hasLostReader: Bool {
        if failure.withLock({ $0 }) != nil { return true }
        var entry = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 1 && Int32(entry.revents) & (POLLERR | POLLNVAL) != 0
    }

    /// The exit status of a command that ends with `code`. What it has printed may be incomplete;
    /// then it says so, and does not succeed. A reader that has read enough and gone is no failure.
    static func exitCode(after code: Int32) -> Int32 {
        guard let reason = failure.withLock({ $0 }), reason != EPIPE else { return code }
        error("\(SystemError("writing to stdout", code: reason))")
        return code == ExitCode.done ? ExitCode.refused : code
    }

    /// Prints one or more lines for the user. Text by others in them is made safe.
    static func line(_ text: String) {
        print(SafeText.text(text) + "\n")
    }

    /// Prints a line that we have coloured in parts; it is made safe as well.
    static func line(_ line: StyledLine) {
        print(line.rendered + "\n")
    }

    /// Prints a line of our own that replaces the previous one on a terminal. An empty line only
    /// removes it.
    static func replaceLine(_ text: String) {
        print("\r\u{1B}[K" + SafeText.line(text))
    }

    /// Prints text with escape sequences of our own. What others wrote in it has been made safe.
    static func terminal(_ text: String) {
        print(text)
    }

    /// Prints one line on stderr that says what went wrong and what to do.
    static func error(_ text: String) {
        let name = "deployex:"
        let mark = usesColours(on: STDERR_FILENO) ? Colour.red.around(name) : name
        write("\(mark) \(SafeText.line(text))\n", to: STDERR_FILENO)
    }

    /// Prints several lines on stderr for somebody who has to decide something first.
    static func explanation(_ text: String) {
        write(SafeText.text(text) + "\n", to: STDERR_FILENO)
    }

    /// Prints an application's output unchanged, for other programs. See ``ApplicationOutput``.
    static func bytes(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { note(write($0, to: STDOUT_FILENO)) }
    }

    private static func print(_ text: String) {
        note(write(text, to: STDOUT_FILENO))
    }

    private static func note(_ reason: Int32?) {
        guard let reason else { return }
        failure.withLock { $0 = $0 ?? reason }
    }

    /// Writes all of `text`. It waits for a slow reader, also where the descriptor itself does not.
    /// - Returns: the errno value if it cannot be written.
    @discardableResult
    static func write(_ text: String, to descriptor: Int32) -> Int32? {
        var text = text
        return text.withUTF8 { write($0, to: descriptor) }
    }

    private static func write(_ bytes: UnsafeBufferPointer<UInt8>, to descriptor: Int32) -> Int32? {
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
            if count > 0 {
                offset += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, -1)
            default: return errno
            }
        }
        return nil
    }
}

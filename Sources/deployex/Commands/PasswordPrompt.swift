internal import Glibc
internal import Transport

/// Asks for a password on the terminal, which does not show what is typed. All of it blocks.
enum PasswordPrompt {
    /// The most bytes that a line may have.
    static let maximumByteCount = 1024

    static var isPossible: Bool { isatty(STDIN_FILENO) == 1 }

    /// The answers, each in one line.
    static func ask(_ questions: [String]) throws(CommandFailure) -> [String] {
        var shown = termios()
        guard tcgetattr(STDIN_FILENO, &shown) == 0 else {
            throw CommandFailure("\(SystemError.last("asking the terminal"))")
        }
        var hidden = shown
        // Ctrl-C comes as a character, so that it cannot leave the terminal like this.
        hidden.c_lflag &= ~tcflag_t(ECHO | ISIG)
        // It ends the line, or the terminal would keep it until Enter.
        withUnsafeMutableBytes(of: &hidden.c_cc) { $0[Int(VEOL)] = interrupt }
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown) }
        var answers: [String] = []
        for question in questions {
            Output.write("\(question): ", to: STDERR_FILENO)
            answers.append(try line(from: STDIN_FILENO))
            Output.write("\n", to: STDERR_FILENO)
        }
        return answers
    }

    /// Ctrl-C.
    private static let interrupt: UInt8 = 3

    /// One line without its end.
    static func line(from descriptor: Int32) throws(CommandFailure) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= maximumByteCount {
            let count = read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count > 0, byte != UInt8(ascii: "\n") else { break }
            guard byte != interrupt else {
                throw CommandFailure("no password was given", exitCode: ExitCode.usage)
            }
            bytes.append(byte)
        }
        return try text(bytes[...])
    }

    /// What a line says, without a carriage return at its end.
    static func text(_ line: ArraySlice<UInt8>) throws(CommandFailure) -> String {
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        guard let text = String(validating: line, as: UTF8.self) else {
            throw CommandFailure("the password is not UTF-8", exitCode: ExitCode.usage)
        }
        return text
    }
}

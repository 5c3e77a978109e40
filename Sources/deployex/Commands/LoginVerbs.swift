internal import Dashboard
internal import ExternalTermFormat
internal import Glibc
internal import Transport

extension Verb {
    /// Who may log in at the dashboard.
    static let login = [
        Verb(
            name: "login-link", forms: ["login-link"],
            summary: "print an address that logs you in at the dashboard",
            details: """
                Whoever opens the address in a browser is logged in as administrator. It works once, and
                for ten minutes.
                """,
            peer: .deployex
        ) { _ in LoginLink() },
        Verb(
            name: "hash-password", forms: ["hash-password"],
            summary: "print the hash of a password for the dashboard",
            details: """
                Asks for the password twice, or reads one line where stdin is no terminal. Put what it
                prints into DEPLOYEX_ADMIN_PASSWORD_HASH or DEPLOYEX_VIEWER_PASSWORD_HASH.
                """
        ) { _ in HashPassword() },
    ]
}

/// `deployex login-link`
struct LoginLink: Command {
    func run(_ setting: CommandSetting) async throws -> Ending {
        let client = try await setting.client()
        guard let text = try await client.call("login_link", []).asText else {
            throw client.strangeAnswer
        }
        Output.line(text)
        return .done
    }
}

/// `deployex hash-password`
struct HashPassword: Command {
    func run(_: CommandSetting) async throws -> Ending {
        let isTerminal = isatty(STDIN_FILENO) == 1
        let password = try await offload {
            isTerminal ? try Self.ask() : try Self.line(from: STDIN_FILENO)
        }
        let count = password.utf8.count
        guard PasswordHash.byteCounts.contains(count) else {
            let (least, most) = (
                PasswordHash.byteCounts.lowerBound, PasswordHash.byteCounts.upperBound
            )
            throw CommandFailure(
                "a password has \(least) to \(most) bytes, and this one \(count)",
                exitCode: ExitCode.usage)
        }
        Output.line(await offload { PasswordHash(of: password).text })
        return .done
    }

    /// Asks on the terminal, which does not show what is typed.
    private static func ask() throws(CommandFailure) -> String {
        var shown = termios()
        guard tcgetattr(STDIN_FILENO, &shown) == 0 else {
            throw CommandFailure("\(SystemError.last("asking the terminal"))")
        }
        var hidden = shown
        // Ctrl-C comes as a character, so that it cannot leave the terminal like this.
        hidden.c_lflag &= ~tcflag_t(ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown) }
        Output.write("Password: ", to: STDERR_FILENO)
        let first = try line(from: STDIN_FILENO)
        Output.write("\nThe same again: ", to: STDERR_FILENO)
        let second = try line(from: STDIN_FILENO)
        Output.write("\n", to: STDERR_FILENO)
        guard first == second else {
            throw CommandFailure("the two are different", exitCode: ExitCode.usage)
        }
        return first
    }

    /// Ctrl-C.
    private static let interrupt: UInt8 = 3

    /// One line without its end.
    private static func line(from descriptor: Int32) throws(CommandFailure) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= PasswordHash.byteCounts.upperBound {
            let count = read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count > 0, byte != UInt8(ascii: "\n") else { break }
            guard byte != interrupt else {
                throw CommandFailure("no password was given", exitCode: ExitCode.usage)
            }
            bytes.append(byte)
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure("the password is not UTF-8", exitCode: ExitCode.usage)
        }
        return text
    }
}

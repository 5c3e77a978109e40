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
        let password = try await offload {
            PasswordPrompt.isPossible ? try Self.ask() : try PasswordPrompt.line(from: STDIN_FILENO)
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

    private static func ask() throws(CommandFailure) -> String {
        let answers = try PasswordPrompt.ask(["Password", "The same again"])
        guard answers[0] == answers[1] else {
            throw CommandFailure("the two are different", exitCode: ExitCode.usage)
        }
        return answers[0]
    }
}

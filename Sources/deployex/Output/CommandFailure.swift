/// A command that cannot be carried out as written: one line, and exit status 2.
struct UsageError: Error, Equatable {
    var message: String
    /// The verb whose help explains more.
    var verb: String?

    init(_ message: String, _ verb: String? = nil) {
        self.message = message
        self.verb = verb
    }
}

/// How a command ends when it does not succeed: one line, and an exit status.
struct CommandFailure: Error, Equatable {
    var message: String
    var exitCode: Int32

    init(_ message: String, exitCode: Int32 = ExitCode.refused) {
        self.message = message
        self.exitCode = exitCode
    }

    init(unreachable message: String) {
        self.init(message, exitCode: ExitCode.unreachable)
    }
}

/// Exit statuses of all commands.
enum ExitCode {
    static let done: Int32 = 0
    /// The other side refused.
    static let refused: Int32 = 1
    static let usage: Int32 = 2
    static let unreachable: Int32 = 3
    /// `verify`: nothing is wrong, but not all could be checked.
    static let unverified: Int32 = 4
}

package import Transport

/// What is started as a process: nothing in it is looked up, expanded or passed to a shell.
package struct Program: Equatable, Sendable {
    /// The executable's absolute path.
    package var path: String
    /// What it is called, the first of argv; by default the path.
    package var name: String?
    /// What follows the path in argv.
    package var arguments: [String]
    package var environment: [String: String]
    /// The working directory.
    package var folder: String
    /// Opened for append and made with mode 0640, as the program's user's; the folder exists.
    package var stdoutPath: String
    package var stderrPath: String
    /// Used instead of `stderrPath`; the caller keeps it open until the start is over.
    package var stderr: Int32?
    package var setting: ProcessSetting
    /// Who may own those two and their folders.
    package var logOwners = TrustedUsers()

    package init(
        path: String, arguments: [String], environment: [String: String], folder: String,
        stdoutPath: String, stderrPath: String, setting: ProcessSetting = ProcessSetting()
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.folder = folder
        self.stdoutPath = stdoutPath
        self.stderrPath = stderrPath
        self.setting = setting
    }
}

/// Why a program could not be started.
package struct SpawnError: Error, Equatable, Sendable, CustomStringConvertible {
    /// "starting /srv/bin/app: no such file or directory"
    package var description: String
    /// Whether the cause is the program itself: it is missing, is not executable, is of no kind that the
    /// kernel knows, or names an interpreter that is not there (a script with CRLF does).
    package var isOfProgram: Bool

    package init(_ description: String, isOfProgram: Bool = false) {
        self.description = description
        self.isOfProgram = isOfProgram
    }
}

package import Transport

/// What to start as a process. Nothing in it is looked up, expanded or passed to a shell.
package struct Program: Equatable, Sendable {
    /// The executable's absolute path.
    package var path: String
    /// The program's name, the first element of argv; the path by default.
    package var name: String?
    /// The elements of argv after the first.
    package var arguments: [String]
    package var environment: [String: String]
    /// Further variables; those in ``environment`` win.
    package var foreignVariables: [ForeignVariable] = []
    /// A further variable: its value is the pid of the process, which only that process knows.
    package var pidVariable: String?
    /// The working directory.
    package var folder: String
    /// Opened for append, and made with mode 0640 as the program's user's file; the folder exists.
    package var stdoutPath: String
    package var stderrPath: String
    /// Used instead of `stdoutPath`; the caller keeps it open until the start is over.
    package var stdout: Int32?
    /// The same for `stderrPath`.
    package var stderr: Int32?
    /// Used instead of the log files, also as standard input: a terminal, which becomes that of the
    /// program's session. The caller keeps it open until the start is over.
    package var terminal: Int32?
    package var setting: ProcessSetting
    /// Who may own these two log files and their folders.
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
    /// Whether the program itself is the cause: it is missing, is not executable, is of no kind
    /// that the kernel knows, or names an interpreter that does not exist (as a script with CRLF
    /// does).
    package var isOfProgram: Bool

    package init(_ description: String, isOfProgram: Bool = false) {
        self.description = description
        self.isOfProgram = isOfProgram
    }
}

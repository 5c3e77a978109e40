internal import ErlDist
internal import Supervisor
internal import Transport

/// Runs a release's pre-commands, such as migrations, in order until one fails. Each is `bin/APP`
/// (a shipment's `entrypoint.sh`) with the words of the command. Their output is appended to one
/// log file.
///
/// No shell is involved: ``CommandWords`` knows quotes and nothing else.
struct PreCommandRunner {
    /// `new/bin/APP`
    var program: String
    /// The folder in which it runs.
    var folder: String
    var environment: [String: String]
    var foreignVariables: [ForeignVariable] = []
    /// The user and the limits of the commands.
    var setting: ProcessSetting
    var logPath: String
    var logOwners = TrustedUsers()
    var record: CommandRecordFile
    /// The time limit for all of them together.
    var timeout: Duration
    var programs: Programs
    var loop: any SerialLoop
    /// The last lines of a log. It blocks.
    var logTail: @Sendable (_ path: String, _ count: Int) throws -> [String]

    /// Runs the commands. Returns why one failed, or `nil`. Call it on the loop's thread, from an
    /// actor pinned to it.
    nonisolated(nonsending) func run(
        _ commands: [String], log: (LogLevel, String) -> Void
    ) async -> String? {
        let deadline = loop.now + timeout
        for command in commands {
            guard let arguments = CommandWords.split(command), !arguments.isEmpty else {
                return "the pre-command `\(command)` has a quote that does not end"
            }
            log(.info, "Pre-command: \(command)")
            let exit: ProcessExit
            do {
                exit = try await run(arguments, until: deadline, log: log)
            } catch {
                return "the pre-command `\(command)` cannot be run: \(error)"
            }
            guard exit == .code(0) else {
                for line in await lastLines() { log(.error, "  \(line.prefix(500))") }
                if loop.now >= deadline {
                    return "the pre-command `\(command)` did not end within "
                        + "\(Int(timeout.inSeconds)) s"
                }
                return "the pre-command `\(command)` failed: \(exit); its output is in \(logPath)"
            }
        }
        return nil
    }

    private nonisolated(nonsending) func run(
        _ arguments: [String], until deadline: MonotonicTime, log: (LogLevel, String) -> Void
    ) async throws -> ProcessExit {
        let record = record
        var program = Program(
            path: program, arguments: arguments, environment: environment, folder: folder,
            stdoutPath: logPath, stderrPath: logPath, setting: setting)
        program.logOwners = logOwners
        program.foreignVariables = foreignVariables
        let exit = try await programs.run(
            program, until: deadline, record: { try record.write($0) })
        do {
            try await loop.offload { try record.remove() }
        } catch {
            // The record names a process that has ended. The next start does not find the process,
            // and removes the record.
            log(.warning, "removing the record of a pre-command: \(error)")
        }
        return exit
    }

    private nonisolated(nonsending) func lastLines() async -> [String] {
        let (path, logTail) = (logPath, logTail)
        return await loop.offload { (try? logTail(path, 20)) ?? [] }
    }
}

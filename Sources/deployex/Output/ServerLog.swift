internal import ErlDist
internal import Supervisor

/// Where `deployex start` logs what it does. Any thread may call it; it never blocks.
protocol ServerLog: Sendable {
    func log(_ level: LogLevel, _ text: String)
    /// Waits until everything is written, but at most a second.
    func flush()
    /// Closes the files that it has open. The next line opens the files that have their names then.
    func reopen()
}

/// The log in production. Besides the console, it has `LOGPATH/deployex/deployex-stdout.log` with
/// every line, and `deployex-stderr.log` with the warnings and errors. See ``FileLog``.
final class ProductionLog: ServerLog {
    private let console: any ServerLog
    private let all: FileLog
    private let problems: FileLog

    /// - Parameter root: `LOGPATH`, such as `/var/log`.
    init(beside console: any ServerLog, root: String, limits: LogLimits) {
        self.console = console
        let logs = LogFiles(root: root)
        all = FileLog(path: logs.ownPath(.stdout), limits: limits)
        problems = FileLog(path: logs.ownPath(.stderr), limits: limits)
    }

    /// `2026-03-01T12:00:00.042Z [info] text`
    func log(_ level: LogLevel, _ text: String) {
        console.log(level, text)
        let line = "\(LogTimestamp.now) [\(level.rawValue)] \(text)"
        all.write(line)
        switch level {
        case .warning, .error: problems.write(line)
        case .debug, .info, .notice: break
        }
    }

    func flush() {
        console.flush()
        all.flush()
        problems.flush()
    }

    func reopen() {
        console.reopen()
        all.reopen()
        problems.reopen()
    }
}

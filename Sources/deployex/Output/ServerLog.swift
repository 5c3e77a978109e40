internal import ErlDist
internal import Supervisor

/// Where `deployex start` says what it does. Any thread may call it; it never blocks.
protocol ServerLog: Sendable {
    func log(_ level: LogLevel, _ text: String)
    /// Waits until everything is written, for a second at most.
    func flush()
    /// Lets go of the files that it has open: the next line opens those of their names.
    func reopen()
}

/// The log in production: `LOGPATH/deployex/deployex-stdout.log` with every line, and
/// `deployex-stderr.log` with the warnings and errors among them. See ``FileLog``.
final class ProductionLog: ServerLog {
    private let all: FileLog
    private let problems: FileLog

    /// - Parameter root: `LOGPATH`, such as `/var/log`.
    init(root: String, limits: LogLimits) {
        all = FileLog(path: "\(root)/deployex/deployex-stdout.log", limits: limits)
        problems = FileLog(path: "\(root)/deployex/deployex-stderr.log", limits: limits)
    }

    /// `2026-03-01T12:00:00.042Z [info] text`
    func log(_ level: LogLevel, _ text: String) {
        let line = "\(LogTimestamp.now) [\(level.rawValue)] \(text)"
        all.write(line)
        switch level {
        case .warning, .error: problems.write(line)
        case .debug, .info, .notice: break
        }
    }

    func flush() {
        all.flush()
        problems.flush()
    }

    func reopen() {
        all.reopen()
        problems.reopen()
    }
}

/// Every line to each of several logs.
struct SeveralLogs: ServerLog {
    private let logs: [any ServerLog]

    init(_ logs: [any ServerLog]) {
        self.logs = logs
    }

    func log(_ level: LogLevel, _ text: String) {
        for log in logs { log.log(level, text) }
    }

    func flush() {
        for log in logs { log.flush() }
    }

    func reopen() {
        for log in logs { log.reopen() }
    }
}

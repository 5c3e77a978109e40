internal import CLinux
internal import Glibc
internal import Transport

/// What protects this process against a busy host: it may run with a niceness below 0 (`Nice=`) or
/// be spared when memory runs out (`OOMScoreAdjust=`). Its children inherit both, and the programs
/// that it starts must not have them.
///
/// Source: setpriority(2); proc_pid_oom_score_adj(5).
enum OwnPriority {
    /// Gives a child that has not been reaped the usual values, 0. Everybody may raise them. Only
    /// root may lower the niceness, or go below what root has set for being spared.
    /// - Returns: why that did not work.
    static func undo(in child: Int32) -> [SystemError] {
        [undoNiceness(child), undoSparing(child)].compactMap(\.self)
    }

    private static let process = __priority_which_t(PRIO_PROCESS.rawValue)

    private static func undoNiceness(_ child: Int32) -> SystemError? {
        // -1 is a niceness, too.
        errno = 0
        let niceness = getpriority(process, id_t(child))
        if niceness == 0 || clinux_errno() == ESRCH { return nil }
        guard setpriority(process, id_t(child), 0) != 0 else { return nil }
        return .last("setting the niceness of an instance, \(niceness), to 0")
    }

    private static func undoSparing(_ child: Int32) -> SystemError? {
        let path = "/proc/\(child)/oom_score_adj"
        guard let value = ProcFile.read(path), value != Array("0\n".utf8) else { return nil }
        let text = String(decoding: value.dropLast(), as: UTF8.self)
        let attempt = "setting the oom_score_adj of an instance, \(text), to 0"
        let raw = open(path, O_WRONLY | O_CLOEXEC)
        guard raw >= 0 else { return .last(attempt) }
        let descriptor = FileDescriptor(owning: raw)
        return write(descriptor.raw, "0", 1) == 1 ? nil : .last(attempt)
    }
}

/// How a process ended.
package enum ProcessExit: Hashable, Codable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)
    /// The process was not our child, so the kernel told only that it ended.
    case unknown

    /// "exit status 1", "killed by signal 9 (SIGKILL)".
    package var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let number):
            if let name = Self.signalNames[number] {
                "killed by signal \(number) (\(name))"
            } else {
                "killed by signal \(number)"
            }
        case .unknown: "exit status unknown"
        }
    }

    /// Source: signal(7), the numbers of x86 and ARM.
    private static let signalNames: [Int32: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT",
        7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2",
        13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 24: "SIGXCPU",
        25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS",
    ]
}

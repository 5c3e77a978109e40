internal import Transport

/// How a process ended.
package enum ProcessExit: Hashable, Codable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)
    /// The process was not our child, so the kernel only told us that it ended.
    case unknown

    /// "exit status 1", "killed by signal 9 (SIGKILL)".
    package var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let number):
            if let name = SignalName.of(number) {
                "killed by signal \(number) (\(name))"
            } else {
                "killed by signal \(number)"
            }
        case .unknown: "exit status unknown"
        }
    }
}

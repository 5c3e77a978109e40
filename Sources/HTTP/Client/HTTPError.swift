package import Transport

/// Why there is no response.
package enum HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The request itself cannot be sent.
    case unusable(attempt: String, reason: String)
    case unreachable(attempt: String, reason: String)
    case timedOut(attempt: String, after: Duration)
    /// The server sent nothing for that long, nor took anything of what was to be sent.
    case stalled(attempt: String, after: Duration)
    case badResponse(attempt: String, HTTPParseError)
    /// The content could not be written on this side.
    case notWritten(attempt: String, SystemError)
    /// The calling task was cancelled.
    case stopped(attempt: String)

    package var description: String {
        switch self {
        case .unusable(let attempt, let reason): "\(attempt): \(reason)"
        case .unreachable(let attempt, let reason): "\(attempt): \(reason)"
        case .timedOut(let attempt, let after): "\(attempt): no response within \(after)"
        case .stalled(let attempt, let after): "\(attempt): the server sent nothing for \(after)"
        case .badResponse(let attempt, let error): "\(attempt): \(error)"
        case .notWritten(let attempt, let error): "\(attempt): \(error)"
        case .stopped(let attempt): "\(attempt): stopped"
        }
    }
}

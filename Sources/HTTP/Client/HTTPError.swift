/// Why there is no response.
package enum HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
    case unreachable(attempt: String, reason: String)
    case timedOut(attempt: String, after: Duration)
    case badResponse(attempt: String, HTTPParseError)
    /// The calling task was cancelled.
    case stopped(attempt: String)

    package var description: String {
        switch self {
        case .unreachable(let attempt, let reason): "\(attempt): \(reason)"
        case .timedOut(let attempt, let after): "\(attempt): no response within \(after)"
        case .badResponse(let attempt, let error): "\(attempt): \(error)"
        case .stopped(let attempt): "\(attempt): stopped"
        }
    }
}

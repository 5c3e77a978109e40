package import ExternalTermFormat

/// An instance's node, which can be called.
package protocol RemoteNode: Sendable {
    /// Calls `module:function(arguments…)` there and returns its result.
    /// - Parameter output: receives what the call prints to its group leader, in pieces.
    func call(
        _ module: Atom, _ function: Atom, _ arguments: [Term], timeout: Duration,
        output: @escaping @Sendable (String) -> Void
    ) async throws(RemoteCallError) -> Term
}

/// Why a call has no result.
package enum RemoteCallError: Error, Equatable, Sendable {
    /// The call was never sent: there is no such node, or no connection.
    case unreachable(String)
    /// The call was never sent: the node refuses us, or we do not believe that it is the right one.
    case refused(String)
    /// The connection ended after the call was sent. Whether it was carried out is unknown.
    case connectionLost(String)
    /// No answer came in time. The call may still be running.
    case timedOut
    /// The call ended with an exception, with this text.
    case exception(String)
}

extension RemoteCallError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let reason), .refused(let reason): "the node cannot be reached: \(reason)"
        case .connectionLost(let reason): "the connection was lost: \(reason)"
        case .timedOut: "no answer in time"
        case .exception(let text): "exception \(text)"
        }
    }
}

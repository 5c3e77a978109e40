public import ExternalTermFormat

/// Who calls a function of an exposed module.
public struct Caller: Sendable, Equatable {
    /// The node that the call came from.
    public var node: NodeName
    /// The process that waits for the answer.
    public var pid: PID
}

/// Answers calls to a module with a result or an error. An ``ExposedCallError`` becomes exactly
/// that exception at the caller. Any other error becomes an exception of class `error` with the
/// error's description.
///
/// It runs on the node's event loop and must not block it. Its task is cancelled when the process
/// of the call is killed from outside, but not when the calling process ends.
public typealias ExposedModule =
    @Sendable (_ function: Atom, _ arguments: [Term], _ caller: Caller) async throws -> Term

/// How an exposed function ends when it does not return.
public enum ExposedCallError: Error, Equatable, Sendable {
    /// There is no such function with that number of arguments: `undef` at the caller.
    case undefined
    indirect case exception(class: ExceptionClass, reason: Term)
}

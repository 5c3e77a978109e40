public import ExternalTermFormat

/// What a process receives.
public indirect enum ProcessMessage: Equatable, Sendable {
    /// A term that someone sent. The sender is not known for every message.
    case message(Term, from: PID?)
    /// A monitored process has ended.
    case down(ProcessDown)
    /// An exit signal that was trapped: a linked process has ended, or `exit(Pid, Reason)` was
    /// called.
    case exit(from: PID, reason: Term)
}

/// The end of a monitored process.
public struct ProcessDown: Equatable, Sendable {
    /// What ``ErlangProcess/monitor(_:)`` returned.
    public var monitor: Reference
    /// The process as the monitor named it.
    public var process: ProcessDestination
    /// Why it ended; `noproc` when it did not exist, `noconnection` when its node is gone.
    public var reason: Term

    /// The end of a process, as the monitor reports it.
    public init(monitor: Reference, process: ProcessDestination, reason: Term) {
        self.monitor = monitor
        self.process = process
        self.reason = reason
    }
}

/// Why a process cannot have a name or an alias.
public enum ProcessError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another process, or the node itself, has the name.
    case nameTaken(Atom)
    /// The process has ended.
    indirect case ended(reason: Term)

    public var description: String {
        switch self {
        case .nameTaken(let name): "the name \(name.name) is taken"
        case .ended(let reason): "the process has ended: \(reason.brief)"
        }
    }
}

/// Why no message was received.
public enum ReceiveError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The process has ended.
    indirect case ended(reason: Term)
    case timedOut
    /// The task that waits was cancelled.
    case cancelled

    public var description: String {
        switch self {
        case .ended(let reason): "the process has ended: \(reason.brief)"
        case .timedOut: "no message came in time"
        case .cancelled: "the task was cancelled"
        }
    }
}

public import ExternalTermFormat

/// Whom a message, monitor or call is for.
public enum ProcessDestination: Hashable, Sendable {
    /// A process.
    case pid(PID)
    /// A registered name on a node.
    case name(Atom, NodeName)
    /// A reference that a process has given out so that others can send to it. It cannot be
    /// monitored or called.
    case alias(Reference)
}

extension ProcessDestination {
    /// The node of the destination.
    var node: Atom {
        switch self {
        case .pid(let pid): pid.node
        case .name(_, let node): node.atom
        case .alias(let reference): reference.node
        }
    }
}

extension ProcessIdentifier {
    /// How a monitor names a destination; `nil` for an alias.
    init?(_ destination: ProcessDestination) {
        switch destination {
        case .pid(let pid): self = .pid(pid)
        case .name(let name, _): self = .name(name)
        case .alias: return nil
        }
    }

    func send(from: PID, message: Term) -> ControlMessage {
        switch self {
        case .pid(let pid): .send(from: from, to: pid, message: message, token: nil)
        case .name(let name):
            .registeredSend(from: from, to: name, message: message, token: nil)
        }
    }
}

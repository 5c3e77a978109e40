package import Transport

/// Who asks, as far as the dashboard knows.
package struct Visitor: Equatable, Sendable {
    /// To whom something may belong, such as an event stream or a terminal.
    package enum Identity: Hashable, Sendable {
        case anybody
        /// Whoever has the API's token.
        case token
        case session(SessionID)
    }

    package enum Role: String, Equatable, Sendable {
        case viewer, administrator
    }

    package var identity: Identity
    /// `nil` for ``Identity/anybody``.
    package var role: Role?
    package var source: PeerSource

    package init(_ identity: Identity, _ role: Role?, from source: PeerSource) {
        self.identity = identity
        self.role = role
        self.source = source
    }

    /// For the log: who has asked for something.
    package var description: String {
        switch identity {
        case .anybody: "somebody (\(source))"
        case .token: "the API (\(source))"
        case .session(let id):
            "the \(role?.rawValue ?? "user") of session \(id.number) (\(source))"
        }
    }
}

/// Names a session, to us and in the log. It is no secret.
package struct SessionID: Hashable, Sendable {
    package let number: Int

    package init(number: Int) {
        self.number = number
    }
}

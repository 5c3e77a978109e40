/// What an operator asks of one application.
package enum EngineCommand: Equatable, Sendable {
    /// `nil`: follow the catalog again.
    case deploy(version: String?)
    case restart(Int)
    case stop(Int)
    case start(Int)
    case rollback
    case unghost(String)
}

/// The answer to a command: it is on its way, or it is not, and why.
package enum CommandResult: Equatable, Sendable {
    case done(String)
    case refused(String)
}

package import Supervisor

/// What an operator asks of one application.
package enum EngineCommand: Equatable, Sendable {
    /// Run this version from now on, whatever the catalog names; with `nil` follow the catalog
    /// again.
    case deploy(version: String?)
    /// Start a new process in place of the one that runs.
    case restart(InstanceNumber)
    /// Stop the instance and leave it stopped, also when deployex restarts.
    case stop(InstanceNumber)
    case start(InstanceNumber)
    /// Ghost the target version, so that the last good one before it comes back.
    case rollback
    /// Let a ghosted version be deployed again.
    case unghost(String)
}

/// The answer to a command. It comes with the decision, not when the effect is complete.
package enum CommandResult: Equatable, Sendable {
    /// A line that says what happens now.
    case done(String)
    /// Nothing happens: why, and what to do instead.
    case refused(String)
}

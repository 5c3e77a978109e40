package import Supervisor
package import Transport

/// What an instance is doing, for people and programs that ask.
package struct InstanceSnapshot: Equatable, Sendable {
    package var number: InstanceNumber
    package var status: InstanceMachine.Status
    package var current: DeployedRelease?
    package var previous: DeployedRelease?
    /// Whether its node answers over the distribution.
    package var isConnected = false
    /// Whether an operator has stopped it.
    package var isStoppedByOperator = false
    /// Whether it answered the last probe in time, as far as it could be asked.
    package var isResponding = true
    /// Why its node is not found to be as it should.
    package var reason: String?
    package var identity: ProcessIdentity?
    /// When its process was started; `nil` when there is none.
    package var startedAt: MonotonicTime?
    package var crashRestarts = 0
    package var forcedRestarts = 0
}

/// The state of one application, as ``DeploymentEngine/snapshot`` gives it.
package struct ApplicationSnapshot: Equatable, Sendable {
    package var application: String
    /// What is to run: what an operator or else the catalog names, and the last good release when that
    /// is ghosted; `nil` before anything is known.
    package var targetVersion: String?
    /// What an operator has asked for instead of the catalog's version.
    package var pinnedVersion: String?
    package var ghosted: [GhostedRelease] = []
    /// The oldest first.
    package var history: [DeploymentOutcome] = []
    /// Why the deployment of the target does not go on at the moment, or why it is not known what is
    /// published.
    package var problem: String?
    package var instances: [InstanceSnapshot]
}

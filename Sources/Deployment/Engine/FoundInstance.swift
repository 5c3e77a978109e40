package import Supervisor
package import Transport

extension DeploymentEngine {
    /// What the deployer finds of an instance when the engine starts.
    package struct Found: Equatable, Sendable {
        package var current: DeployedRelease?
        package var previous: DeployedRelease?
        package var note = InstanceNote()
        package var process = FoundProcess.none
        /// The release to which its running node was being upgraded in place.
        package var interruptedUpgrade: Release?

        var isRunning: Bool {
            if case .running = process { true } else { false }
        }
    }

    /// What has become of the process that an earlier deployex started.
    package enum FoundProcess: Equatable, Sendable {
        case none
        /// It runs, since `since`. With `isStopping` the decision to stop it is on record.
        case running(ProcessIdentity, since: MonotonicTime, isStopping: Bool)
        /// It ended while no deployex ran, without anybody's decision.
        case ended
    }
}

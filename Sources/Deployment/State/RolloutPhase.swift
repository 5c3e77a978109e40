/// What is under way in a rollout.
package enum RolloutPhase: String, Sendable, CaseIterable {
    /// The package is fetched, checked and unpacked.
    case staging
    /// The release is staged here, and the instances before this one are being changed.
    case waiting
    /// The pre-commands run.
    case preparing
    /// The process is to end.
    case stopping
    /// The folders change places.
    case moving
    /// The node is upgraded in place.
    case upgrading
    /// The release has been started, or upgraded to.
    case awaitingReady = "awaiting_ready"
}

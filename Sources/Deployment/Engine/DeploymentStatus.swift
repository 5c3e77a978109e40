package import Supervisor
package import Transport

/// What an instance is doing, in one word.
///
/// | status | what it means |
/// |---|---|
/// | `idle` | nothing runs, and nothing is to run |
/// | `starting` | its process is being started, or runs and is not ready yet |
/// | `running` | its process is ready, and its node has answered the last probe that reached it |
/// | `unresponsive` | its process runs, and its node does not answer |
/// | `stopping` | its process was asked to end; another one may be started after it |
/// | `backoff` | its process ended unasked; another one is started after a delay |
/// | `failed` | no process could be started; it is tried again after a delay |
package enum InstanceStatus: String, Sendable, CaseIterable {
    case idle, starting, running, unresponsive, stopping, backoff, failed
}

/// What an instance is doing, for people and programs.
package struct InstanceSnapshot: Equatable, Sendable {
    package var number: InstanceNumber
    package var status: InstanceStatus
    package var current: DeployedRelease?
    package var previous: DeployedRelease?
    /// Whether its node can be asked over the distribution.
    package var usesDistribution = true
    /// Whether its node answers over the distribution.
    package var isConnected = false
    /// Whether an operator has stopped it.
    package var isStoppedByOperator = false
    /// What is wrong with its node, as the last probe found it, or why no process runs.
    package var reason: String?
    /// What only a new process of the instance brings into effect.
    package var pendingRestart: String?
    package var identity: ProcessIdentity?
    /// When its process was started; `nil` when there is none.
    package var startedAt: MonotonicTime?
    package var crashRestarts = 0
    package var forcedRestarts = 0
}

/// The change of one instance to another release, while it is under way.
package struct RolloutSnapshot: Equatable, Sendable {
    package var instance: InstanceNumber
    package var version: String
    /// The phases so far, each with its begin; the last is the present one.
    package var steps: [Step]
    /// When the release has to be ready.
    package var deadline: MonotonicTime?
    /// How far the staging for all instances has come, while it is under way.
    package var staging: Staging?

    package struct Staging: Equatable, Sendable {
        /// Instances for which the release is staged.
        package var stagedCount: Int
        /// Instances that need it.
        package var count: Int
    }

    package struct Step: Equatable, Sendable {
        package var phase: RolloutPhase
        package var begin: MonotonicTime

        package init(phase: RolloutPhase, begin: MonotonicTime) {
            self.phase = phase
            self.begin = begin
        }
    }
}

/// The state of one application, as ``DeploymentEngine/snapshot`` gives it.
package struct ApplicationSnapshot: Equatable, Sendable {
    package var application: String
    /// The version that is to run: the one that an operator or else the catalog names, or the last
    /// good one when that is ghosted; `nil` before anything is known.
    package var targetVersion: String?
    /// The version that an operator has asked for instead of the catalog's.
    package var pinnedVersion: String?
    package var ghosted: [GhostedRelease] = []
    /// The oldest first.
    package var history: [DeploymentOutcome] = []
    /// Those that were ready on some instance, the latest first.
    package var good: [ReleaseID] = []
    /// Why the deployment of the target does not go on at the moment, or why the catalog cannot be
    /// read.
    package var problem: String?
    /// The change of an instance that is under way.
    package var rollout: RolloutSnapshot?
    package var instances: [InstanceSnapshot]

    /// Whether an instance that is not stopped has neither of its releases in this version, so that
    /// only a package brings it there.
    package func needsPackage(of version: String) -> Bool {
        instances.contains { instance in
            !instance.isStoppedByOperator && instance.current?.version != version
                && instance.previous?.version != version
        }
    }
}

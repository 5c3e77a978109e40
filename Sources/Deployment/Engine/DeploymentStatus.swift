package import Supervisor
package import Transport

/// How the version that an instance runs came to it.
package enum DeploymentKind: String, Codable, Sendable {
    case fullDeployment = "full_deployment"
    case hotUpgrade = "hot_upgrade"
}

/// A release as it stands in an instance's folder; what `version/I/current.json` holds.
package struct DeployedRelease: Codable, Equatable, Sendable {
    package var version: String
    package var hash: String
    package var deployment: DeploymentKind

    package init(version: String, hash: String, deployment: DeploymentKind) {
        self.version = version
        self.hash = hash
        self.deployment = deployment
    }
}

/// What an instance is doing, for people and programs that ask.
package struct InstanceSnapshot: Equatable, Sendable {
    package var number: Int
    package var status: InstanceMachine.Status
    package var current: DeployedRelease?
    package var previous: DeployedRelease?
    /// Whether its node answers over the distribution.
    package var isConnected: Bool
    package var identity: ProcessIdentity?
    /// When its process was started; `nil` when there is none.
    package var startedAt: MonotonicTime?
    package var crashRestarts: Int
    package var forcedRestarts: Int
}

/// The state of one application, as ``DeploymentEngine/snapshot`` gives it.
package struct ApplicationSnapshot: Equatable, Sendable {
    package var application: String
    /// What the catalog names; `nil` before it has been read.
    package var targetVersion: String?
    package var instances: [InstanceSnapshot]
}

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

    package var id: ReleaseID { ReleaseID(version: version, hash: hash) }
}

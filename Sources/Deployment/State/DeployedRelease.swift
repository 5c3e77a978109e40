/// How an instance got the version that it runs.
package enum DeploymentKind: String, Codable, Sendable {
    case fullDeployment = "full_deployment"
    case hotUpgrade = "hot_upgrade"
}

/// A release in an instance's folder, as `version/APP/I/current.json` describes it.
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

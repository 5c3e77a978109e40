internal import ExternalTermFormat
internal import Supervisor
package import Transport

/// The answer to `deployex:status()`, in the shape that `deployex status --json` prints.
package struct StatusReport: TermDocument {
    package var node: String?
    package var version: String?
    /// Whether the node's connections are mutually authenticated TLS.
    package var usesTLS: Bool?
    package var uptimeSeconds: Int?
    package var applications: [Application] = []

    package init() {}

    package static var fields: [TermField<StatusReport>] {
        [
            TermField("node", \.node), TermField("version", \.version),
            TermField("tls", \.usesTLS), TermField("uptime_seconds", \.uptimeSeconds),
            TermField("apps", \.applications),
        ]
    }

    package struct Application: TermDocument {
        package var name: String?
        package var targetVersion: String?
        package var pinnedVersion: String?
        package var ghosted: [Ghost] = []
        /// Why the deployment of the target does not go on at the moment.
        package var problem: String?
        package var instances: [Instance] = []

        package init() {}

        package static var fields: [TermField<Application>] {
            [
                TermField("name", \.name), TermField("target_version", \.targetVersion),
                TermField("pinned_version", \.pinnedVersion), TermField("ghosted", \.ghosted),
                TermField("problem", \.problem), TermField("instances", \.instances),
            ]
        }
    }

    package struct Ghost: TermDocument {
        package var version: String?
        package var hash: String?
        package var reason: String?

        package init() {}

        package static var fields: [TermField<Ghost>] {
            [
                TermField("version", \.version), TermField("hash", \.hash),
                TermField("reason", \.reason),
            ]
        }
    }

    package struct Instance: TermDocument {
        package var number: Int?
        package var node: String?
        package var status: String?
        package var version: String?
        package var previousVersion: String?
        package var lastDeployment: String?
        /// `connected` or `not_connected`.
        package var otp: String?
        package var pid: Int?
        package var port: Int?
        package var uptimeSeconds: Int?
        package var isStoppedByOperator: Bool?
        package var isResponding: Bool?
        package var crashRestarts: Int?
        package var forcedRestarts: Int?

        package init() {}

        package static var fields: [TermField<Instance>] {
            [
                TermField("instance", \.number), TermField("node", \.node),
                TermField("status", \.status), TermField("version", \.version),
                TermField("previous_version", \.previousVersion),
                TermField("last_deployment", \.lastDeployment), TermField("otp", \.otp),
                TermField("os_pid", \.pid), TermField("port", \.port),
                TermField("uptime_seconds", \.uptimeSeconds),
                TermField("stopped_by_operator", \.isStoppedByOperator),
                TermField("responding", \.isResponding),
                TermField("crash_restarts", \.crashRestarts),
                TermField("forced_restarts", \.forcedRestarts),
            ]
        }

        package var isConnected: Bool { otp == "connected" }
    }
}

extension StatusReport {
    package init(
        node: String, version: String, usesTLS: Bool, uptime: Duration, applications: [Application]
    ) {
        self.node = node
        self.version = version
        self.usesTLS = usesTLS
        uptimeSeconds = Int(uptime.components.seconds)
        self.applications = applications
    }
}

extension StatusReport.Application {
    /// - Parameters:
    ///   - firstPort: instance I listens on `firstPort + I - 1`.
    ///   - host: this one, as it is in the instances' nodes.
    package init(
        _ snapshot: ApplicationSnapshot, firstPort: UInt16, host: String, now: MonotonicTime
    ) {
        name = snapshot.application
        targetVersion = snapshot.targetVersion
        pinnedVersion = snapshot.pinnedVersion
        problem = snapshot.problem
        ghosted = snapshot.ghosted.map { release in
            var ghost = StatusReport.Ghost()
            ghost.version = release.version
            ghost.hash = release.hash
            ghost.reason = release.reason
            return ghost
        }
        instances = snapshot.instances.map { found in
            var instance = StatusReport.Instance()
            instance.number = found.number
            instance.node = "\(snapshot.application)-\(found.number)@\(host)"
            instance.status = "\(found.status)"
            instance.version = found.current?.version
            instance.previousVersion = found.previous?.version
            instance.lastDeployment = found.current?.deployment.rawValue
            instance.otp = found.isConnected ? "connected" : "not_connected"
            instance.port = Int(firstPort) + found.number - 1
            if let identity = found.identity {
                instance.pid = Int(identity.pid)
                instance.uptimeSeconds = found.startedAt.map { Int((now - $0).components.seconds) }
            }
            instance.isStoppedByOperator = found.isStopped
            instance.isResponding = found.isResponding
            instance.crashRestarts = found.crashRestarts
            instance.forcedRestarts = found.forcedRestarts
            return instance
        }
    }
}

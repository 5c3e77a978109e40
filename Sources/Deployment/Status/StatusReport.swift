package import ExternalTermFormat
internal import Supervisor
package import Transport

/// The answer to `deployex:status()`: a map with atoms as keys, text as binaries and `null` for what
/// is not there, in the shape that `deployex status --json` prints.
package struct StatusReport {
    package var node: String
    package var version: String
    /// Whether the node's connections are mutually authenticated TLS.
    package var usesTLS: Bool
    package var uptime: Duration
    package var applications: [Application]

    package struct Application {
        package var snapshot: ApplicationSnapshot
        /// Instance I listens on `firstPort + I - 1`.
        package var firstPort: UInt16

        package init(snapshot: ApplicationSnapshot, firstPort: UInt16) {
            self.snapshot = snapshot
            self.firstPort = firstPort
        }
    }

    package init(
        node: String, version: String, usesTLS: Bool, uptime: Duration, applications: [Application]
    ) {
        self.node = node
        self.version = version
        self.usesTLS = usesTLS
        self.uptime = uptime
        self.applications = applications
    }

    package func term(now: MonotonicTime) -> Term {
        .object([
            ("node", .binary(node)),
            ("version", .binary(version)),
            ("tls", .flag(usesTLS)),
            ("uptime_seconds", .seconds(uptime)),
            ("apps", .list(applications.map { term(of: $0, now: now) })),
        ])
    }

    private func term(of application: Application, now: MonotonicTime) -> Term {
        let instances = application.snapshot.instances.map { instance in
            term(of: instance, in: application, now: now)
        }
        let ghosted = application.snapshot.ghosted.map { release in
            Term.object([
                ("version", .binary(release.version)), ("hash", .binary(release.hash)),
                ("reason", .binary(release.reason)),
            ])
        }
        return .object([
            ("name", .binary(application.snapshot.application)),
            ("target_version", .orNull(application.snapshot.targetVersion)),
            ("pinned_version", .orNull(application.snapshot.pinnedVersion)),
            ("ghosted", .list(ghosted)),
            ("problem", .orNull(application.snapshot.problem)),
            ("instances", .list(instances)),
        ])
    }

    private func term(
        of instance: InstanceSnapshot, in application: Application, now: MonotonicTime
    ) -> Term {
        let host = node.split(separator: "@", maxSplits: 1).last.map(String.init) ?? "localhost"
        let name = "\(application.snapshot.application)-\(instance.number)@\(host)"
        let pid = instance.identity.map { Term.integer(Int($0.pid)) }
        let uptime = instance.startedAt.map { Term.seconds(now - $0) }
        let pairs: [(Atom, Term)] = [
            ("instance", .integer(instance.number.value)),
            ("node", .binary(name)),
            ("status", .binary("\(instance.status)")),
            ("version", Term.orNull(instance.current?.version)),
            ("previous_version", Term.orNull(instance.previous?.version)),
            ("last_deployment", Term.orNull(instance.current?.deployment.rawValue)),
            ("otp", .binary(instance.isConnected ? "connected" : "not_connected")),
            ("os_pid", pid ?? Term.null),
            ("port", .integer(Int(application.firstPort) + instance.number.offset)),
            ("uptime_seconds", instance.identity == nil ? Term.null : uptime ?? Term.null),
            ("stopped_by_operator", .flag(instance.isStoppedByOperator)),
            ("responding", .flag(instance.isResponding)),
            ("crash_restarts", .integer(instance.crashRestarts)),
            ("forced_restarts", .integer(instance.forcedRestarts)),
        ]
        return .object(pairs)
    }
}

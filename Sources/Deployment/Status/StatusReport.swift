internal import ExternalTermFormat
package import Supervisor
package import Transport

/// The answer to `deployex:status()`, in the shape that `deployex status --json` prints.
package struct StatusReport: TermDocument {
    package var node: String?
    package var version: String?
    /// Whether the node's connections are mutually authenticated TLS.
    package var usesTLS: Bool?
    package var uptimeSeconds: Int?
    package var applications: [Application] = []

    package static let empty = StatusReport()

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
        /// The change of an instance that is under way.
        package var rollout: Rollout?
        /// Where deployex listens for the instances.
        package var listening: [Listener] = []
        package var instances: [Instance] = []

        package static let empty = Application()

        package static var fields: [TermField<Application>] {
            [
                TermField("name", \.name), TermField("target_version", \.targetVersion),
                TermField("pinned_version", \.pinnedVersion), TermField("ghosted", \.ghosted),
                TermField("problem", \.problem), TermField("rollout", \.rollout),
                TermField("listen", \.listening), TermField("instances", \.instances),
            ]
        }
    }

    package struct Listener: TermDocument {
        package var name: String?
        /// Of instance 1, if each has its own.
        package var address: String?
        /// A ``ListeningAddress/Mode``.
        package var mode: String?

        package static let empty = Listener()

        package static var fields: [TermField<Listener>] {
            [TermField("name", \.name), TermField("address", \.address), TermField("mode", \.mode)]
        }
    }

    package struct Rollout: TermDocument {
        package var instance: Int?
        /// The version that the instance is being brought to.
        package var version: String?
        /// A ``RolloutPhase``: what is under way.
        package var phase: String?
        /// How long it has been under way.
        package var seconds: Int?
        /// How long the release still has to become ready.
        package var secondsLeft: Int?
        /// The phases so far, the present one included.
        package var steps: [RolloutStep] = []
        /// How much of the package has been fetched from a store on another host, while it is.
        package var fetchedByteCount: Int?
        package var packageByteCount: Int?
        /// For how many instances the version is staged, while it is staged for all that need it.
        package var stagedCount: Int?
        /// How many instances need it.
        package var neededCount: Int?

        package static let empty = Rollout()

        package static var fields: [TermField<Rollout>] {
            [
                TermField("instance", \.instance), TermField("version", \.version),
                TermField("phase", \.phase), TermField("seconds", \.seconds),
                TermField("seconds_left", \.secondsLeft), TermField("steps", \.steps),
                TermField("fetched_bytes", \.fetchedByteCount),
                TermField("package_bytes", \.packageByteCount),
                TermField("instances_staged", \.stagedCount),
                TermField("instances_to_stage", \.neededCount),
            ]
        }
    }

    package struct Ghost: TermDocument {
        package var version: String?
        package var hash: String?
        package var reason: String?

        package static let empty = Ghost()

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
        /// One of ``InstanceStatus``.
        package var status: String?
        /// What is wrong with its node, or why no process runs, or what waits for a restart.
        package var reason: String?
        /// Whether only a new process brings something into effect; the reason says what.
        package var isRestartPending: Bool?
        package var version: String?
        package var previousVersion: String?
        package var lastDeployment: String?
        /// `connected` or `not_connected`; `off` where the application is not to be asked.
        package var otp: String?
        package var pid: Int?
        package var port: Int?
        package var uptimeSeconds: Int?
        package var isStoppedByOperator: Bool?
        package var crashRestarts: Int?
        package var forcedRestarts: Int?
        /// What its processes use, while somebody watches: see ``UsageSampler``.
        package var processorPercent: Double?
        package var memoryByteCount: Int?
        /// Those that are configured, as far as its node tells: see ``ThresholdWatch``.
        package var thresholds: [ThresholdState] = []
        /// The host's libraries that it uses and that were replaced or removed since its start.
        package var deletedLibraries: [String] = []

        package static let empty = Instance()

        package static var fields: [TermField<Instance>] {
            [
                TermField("instance", \.number), TermField("node", \.node),
                TermField("status", \.status), TermField("reason", \.reason),
                TermField("restart_pending", \.isRestartPending),
                TermField("version", \.version),
                TermField("previous_version", \.previousVersion),
                TermField("last_deployment", \.lastDeployment), TermField("otp", \.otp),
                TermField("os_pid", \.pid), TermField("port", \.port),
                TermField("uptime_seconds", \.uptimeSeconds),
                TermField("stopped_by_operator", \.isStoppedByOperator),
                TermField("crash_restarts", \.crashRestarts),
                TermField("forced_restarts", \.forcedRestarts),
                TermField("cpu_percent", \.processorPercent),
                TermField("memory_bytes", \.memoryByteCount),
                TermField("thresholds", \.thresholds),
                TermField("deleted_libraries", \.deletedLibraries),
            ]
        }

        package var isConnected: Bool { otp == "connected" }
    }
}

extension StatusReport {
    package init(
        node: String, version: String, usesTLS: Bool, uptime: Duration, applications: [Application]
    ) {
        self.init(
            node: node, version: version, usesTLS: usesTLS,
            uptimeSeconds: Int(uptime.components.seconds), applications: applications)
    }
}

extension StatusReport {
    /// The same state when some time has passed.
    package func later(by seconds: Int) -> StatusReport {
        var report = self
        report.uptimeSeconds = uptimeSeconds.map { $0 &+ seconds }
        for index in report.applications.indices {
            for place in report.applications[index].instances.indices {
                let uptime = report.applications[index].instances[place].uptimeSeconds
                report.applications[index].instances[place].uptimeSeconds =
                    uptime.map { $0 &+ seconds }
            }
        }
        return report
    }
}

extension StatusReport.Application {
    /// Adds what its instances use.
    package mutating func add(_ usage: [InstanceName: InstanceUsage]) {
        for index in instances.indices {
            guard let name, let number = instances[index].number, number > 0 else { continue }
            let found = usage[InstanceName(app: name, number: InstanceNumber(number))]
            instances[index].processorPercent = found?.processorPercent
            instances[index].memoryByteCount = found?.memoryByteCount
        }
    }

    /// Adds where deployex listens for its instances.
    package mutating func add(_ listening: [ListeningAddress]) {
        self.listening = listening.map {
            .init(name: $0.name, address: "\($0.address)", mode: $0.mode.rawValue)
        }
    }

    /// Adds how far the package of the rollout has come.
    package mutating func add(_ fetch: FetchProgress?) {
        guard let fetch, rollout?.version == fetch.version else { return }
        rollout?.fetchedByteCount = Int(fetch.byteCount)
        rollout?.packageByteCount = fetch.totalByteCount.map { Int($0) }
    }

    /// Adds where its instances stand against their thresholds.
    package mutating func add(_ thresholds: (InstanceNumber) -> [ThresholdState]) {
        for index in instances.indices {
            guard let number = instances[index].number.flatMap({ InstanceNumber(rawValue: $0) })
            else { continue }
            instances[index].thresholds = thresholds(number)
        }
    }

    /// Adds the libraries that only a new process replaces.
    package mutating func addDeletedLibraries(_ libraries: (InstanceNumber) -> [String]) {
        for index in instances.indices {
            guard let number = instances[index].number.flatMap({ InstanceNumber(rawValue: $0) })
            else { continue }
            instances[index].deletedLibraries = libraries(number)
        }
    }

    /// - Parameters:
    ///   - firstPort: instance I listens on `firstPort + I - 1`, unless `ports` says otherwise.
    ///   - ports: the ports of the processes, in the order of the instances.
    ///   - host: this host's name as the instances' nodes use it.
    package init(
        _ snapshot: ApplicationSnapshot, firstPort: UInt16, ports: [UInt16?] = [], host: String,
        now: MonotonicTime
    ) {
        self.init(
            name: snapshot.application, targetVersion: snapshot.targetVersion,
            pinnedVersion: snapshot.pinnedVersion,
            ghosted: snapshot.ghosted.map {
                .init(version: $0.version, hash: $0.hash, reason: $0.reason)
            },
            problem: snapshot.problem,
            rollout: snapshot.rollout.map { rollout in
                .init(
                    instance: rollout.instance.value, version: rollout.version,
                    phase: rollout.steps.last?.phase.rawValue,
                    seconds: rollout.steps.first.map {
                        Int((now - $0.begin).components.seconds)
                    },
                    secondsLeft: rollout.deadline.map {
                        max(0, Int(($0 - now).components.seconds))
                    },
                    steps: zip(
                        rollout.steps, rollout.steps.dropFirst().map(\.begin) + [now]
                    ).map { step, end in
                        RolloutStep(
                            phase: step.phase.rawValue,
                            milliseconds: (end - step.begin).nanoseconds / 1_000_000)
                    },
                    stagedCount: rollout.staging?.stagedCount,
                    neededCount: rollout.staging?.count)
            },
            instances: snapshot.instances.map { found in
                let offset = found.number.offset
                let port = ports.indices.contains(offset) ? ports[offset].map { Int($0) } : nil
                return .init(
                    found, node: "\(snapshot.application)-\(found.number)@\(host)",
                    port: port, configuredPort: Int(firstPort) + offset, now: now)
            })
    }
}

extension StatusReport.Instance {
    /// - Parameter port: of its process, if it has one.
    fileprivate init(
        _ found: InstanceSnapshot, node: String, port: Int?, configuredPort: Int,
        now: MonotonicTime
    ) {
        let uptime = found.startedAt.map { Int((now - $0).components.seconds) }
        var pending = found.pendingRestart.map { [$0] } ?? []
        if found.identity != nil, let port, port != configuredPort {
            pending.append("its port is \(port), and \(configuredPort) is configured")
        }
        let waits = pending.isEmpty ? [] : ["restart pending: \(pending.joined(separator: ", "))"]
        let reasons = (found.reason.map { [$0] } ?? []) + waits
        self.init(
            number: found.number.value, node: node, status: found.status.rawValue,
            reason: reasons.isEmpty ? nil : reasons.joined(separator: "; "),
            isRestartPending: !pending.isEmpty,
            version: found.current?.version, previousVersion: found.previous?.version,
            lastDeployment: found.current?.deployment.rawValue,
            otp: !found.usesDistribution
                ? "off" : found.isConnected ? "connected" : "not_connected",
            pid: found.identity.map { Int($0.pid) }, port: port ?? configuredPort,
            uptimeSeconds: found.identity == nil ? nil : uptime,
            isStoppedByOperator: found.isStoppedByOperator,
            crashRestarts: found.crashRestarts, forcedRestarts: found.forcedRestarts)
    }
}

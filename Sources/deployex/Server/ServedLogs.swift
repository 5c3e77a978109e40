internal import Dashboard
internal import Deployment
internal import Supervisor
internal import Transport

/// The logs that the dashboard shows: those of the configured applications, of applications that an
/// earlier deployex had, and deployex's own.
struct ServedLogs: LogBackend {
    let applications: [ServedApplication]
    /// deployex's own log; `nil` if it keeps none.
    let ownLogs: LogFiles?
    let logPath: String
    let basePath: String
    let owners: TrustedUsers
    /// Names the applications that deployex has had.
    let records: InstanceRecordFolder
    let feed: ObservationFeed
    let logWatch: LogWatch

    func logInventory() async throws(DashboardRefusal) -> [LogInventory] {
        var inventory: [LogInventory] = []
        for served in applications {
            let configuration = served.configuration
            let found = try await instances(of: configuration.name, served.logs)
            let configured = InstanceNumber.first(configuration.replicas)
            inventory.append(
                LogInventory(
                    application: configuration.name, isConfigured: true,
                    instances: Set(found).union(configured).sorted()))
        }
        for name in try await formerApplications() {
            let found = try await instances(of: name, formerLogs(of: name))
            guard !found.isEmpty else { continue }
            inventory.append(
                LogInventory(application: name, isConfigured: false, instances: found))
        }
        return inventory
    }

    func logs(of target: LogTarget) async throws(DashboardRefusal) -> [LogSource] {
        let streams = target.stream.map { [$0] } ?? LogFiles.Stream.allCases
        if target.application == LogTarget.own {
            guard let ownLogs else {
                throw DashboardRefusal(
                    .notFound,
                    "deployex keeps no log of its own here: it writes to its stdout, which is a "
                        + "terminal, or the journal of its service")
            }
            // Its stdout has every line; its stderr repeats the warnings and errors.
            return [target.stream ?? .stdout].map {
                LogSource(instance: nil, stream: $0, path: ownLogs.ownPath($0), logs: ownLogs)
            }
        }
        let (logs, instances) = try await instances(of: target)
        let sources = instances.flatMap { number in
            streams.map { stream in
                let name = InstanceName(app: target.application, number: number)
                return LogSource(
                    instance: number.value, stream: stream, path: logs.path(name, stream),
                    logs: logs)
            }
        }
        guard sources.count <= LogCursor.maximumCount else {
            throw DashboardRefusal(
                .conflict,
                "at most \(LogCursor.maximumCount) logs are read together: name an "
                    + "instance or a stream")
        }
        return sources
    }

    func watch(_ logs: [LogSource]) async -> WatchedLogs { await logWatch.watch(logs.map(\.path)) }

    func change(
        of logs: WatchedLogs, by observer: String, within limit: Duration
    ) async throws(DashboardRefusal) {
        do throws(ObservationFeed.Refusal) {
            try await logWatch.change(of: logs, by: observer, within: limit)
        } catch {
            throw DashboardRefusal(error)
        }
    }

    // MARK: Instances

    private func instances(
        of target: LogTarget
    ) async throws(DashboardRefusal) -> (LogFiles, [InstanceNumber]) {
        let served = applications.first { $0.configuration.name == target.application }
        let logs: LogFiles
        if let served {
            logs = served.logs
            let configured = InstanceNumber.first(served.configuration.replicas)
            if let number = target.instance, configured.contains(number) {
                return (logs, [number])
            }
        } else {
            guard try await formerApplications().contains(target.application) else {
                throw DashboardRefusal(.notFound, "there is no application of this name")
            }
            logs = await formerLogs(of: target.application)
        }
        var found = try await instances(of: target.application, logs)
        if let served {
            let configured = InstanceNumber.first(served.configuration.replicas)
            found = Set(found).union(configured).sorted()
        }
        if let number = target.instance { found = found.filter { $0 == number } }
        guard !found.isEmpty else {
            throw DashboardRefusal(.notFound, "there is no log of such an instance")
        }
        return (logs, found)
    }

    private func instances(
        of application: String, _ logs: LogFiles
    ) async throws(DashboardRefusal) -> [InstanceNumber] {
        do throws(FileSystemError) {
            return try await offload { () throws(FileSystemError) in
                try logs.instances(app: application)
            }
        } catch {
            throw DashboardRefusal(.conflict, "\(error)")
        }
    }

    /// The applications that have had instances here, and are no longer configured.
    private func formerApplications() async throws(DashboardRefusal) -> [String] {
        let configured = Set(applications.map(\.configuration.name))
        let records = records
        do throws(FileSystemError) {
            let names = try await offload { () throws(FileSystemError) in try records.names() }
            return Set(names.map(\.app)).subtracting(configured).sorted()
        } catch {
            if error.isNotFound { return [] }
            throw DashboardRefusal(.conflict, "\(error)")
        }
    }

    /// Its logs may be owned by the user that it ran as.
    private func formerLogs(of application: String) async -> LogFiles {
        let (base, alive) = (basePath, "\(application)-1")
        let user = await offload { CommandTrust.user(ofInstance: alive, base: base) }
        return LogFiles(root: logPath, owners: user.map { owners.adding($0) } ?? owners)
    }
}
